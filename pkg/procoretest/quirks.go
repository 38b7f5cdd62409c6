package procoretest

import (
	"slices"
	"strings"
	"time"
)

// Quirks returns the table of all quirks. Each is a way in which Procore may differ from
// the plain fake, as far as its documents leave it open. None contradicts what they fix.
// Quirks are applied in this order, so those of the coding are last.
func Quirks() []Quirk {
	return slices.Concat(optionQuirks(), gatewayQuirks(), statusQuirks(), listQuirks(), updatedQuirks(), headerQuirks(), fieldQuirks(),
		echoQuirks(), deliveryQuirks(), codingQuirks())
}

// optionQuirks are what an option chooses.
func optionQuirks() []Quirk {
	return []Quirk{
		{"second-kill", "second", "a second authorization revokes the first pair", option(func(o *Options) { o.SecondAuthorization = Kill })},
		{"second-return", "second", "a second authorization returns the first pair", option(func(o *Options) { o.SecondAuthorization = Return })},
		{"kills-access", "", "a refresh revokes the old access token", option(func(o *Options) { o.RefreshKillsAccess = true })},
		{"long-tokens", "", "access tokens have 1,400 bytes", option(func(o *Options) { o.LongAccessTokens = true })},
		{"one-event-id", "", "all hooks report a change under one event id", option(func(o *Options) { o.OneEventID = true })},
	}
}

// gatewayQuirks are what a gateway does in Procore's place when a path is first read, and
// what Procore does to hooks.
func gatewayQuirks() []Quirk {
	return []Quirk{
		{"gateway-502", "gateway", "the first GET of a path is answered 502 with HTML", once(502, gatewayPage)},
		{"gateway-503", "gateway", "the first GET of a path is answered 503 without Retry-After", once(503, "")},
		{"gateway-504", "gateway", "the first GET of a path is answered 504 with HTML", once(504, gatewayPage)},
		{"gateway-520", "gateway", "the first GET of a path is answered 520", once(520, "")},
		{"gateway-524", "gateway", "the first GET of a path is answered 524 with HTML", once(524, gatewayPage)},
		{"gateway-page", "gateway", "the first GET of a path is answered 200 with HTML", once(200, gatewayPage)},
		{"gateway-empty", "gateway", "the first GET of a path is answered 200 without a body", once(200, "")},
		{"gateway-401", "gateway", "the first GET of a path is answered 401 with HTML", once(401, gatewayPage)},
		{"gateway-403", "gateway", "the first GET of a path is answered 403 with HTML", once(403, gatewayPage)},
		{"redirect", "gateway", "the first GET of a path is redirected to itself", once(307, "")},
		{"disabled", "", "every hook is found disabled once", requests(disableOnce)},
		{"probe-head", "", "a hook is refused unless its destination answers HEAD with 2xx", requests(probeHook)},
	}
}

// statusQuirks are statuses, and answers of the OAuth endpoints.
func statusQuirks() []Quirk {
	return []Quirk{
		{"status-201", "status", "201 instead of 200", answers(status(200, 201))},
		{"status-202", "status", "202 instead of 200", answers(status(200, 202))},
		{"status-200", "status", "200 instead of 201", answers(status(201, 200))},
		{"delete-200", "", "a deletion is answered 200 with an object", answers(deletedObject)},
		{"revoke-text", "", "a revocation is answered with text", answers(revokedText)},
		{"grant-401", "", "invalid_grant has status 401", answers(grant401)},
		{"no-header-401", "no-header", "a call without the company header is answered 401", answers(noHeader(401))},
		{"no-header-403", "no-header", "a call without the company header is answered 403", answers(noHeader(403))},
		{"token-type", "", `token_type is "BEARER "`, answers(fields(constant("BEARER "), "token_type"))},
		{"callback-extra", "", "the redirect to the app has more parameters", answers(extraParameters)},
	}
}

// listQuirks are what a list has, and how its pages are linked. A page has one item, so
// that there are several.
func listQuirks() []Quirk {
	return []Quirk{
		{"pages", "pages", "a page has one item", pages()},
		{"link-relative", "pages", "links are paths", pages(links(func(path, query string) string { return path + query }))},
		{"link-query", "pages", "links are queries", pages(links(func(_, query string) string { return query }))},
		{"link-https", "pages", "links are https", pages(links(at("https://127.0.0.1")))},
		{"link-host", "pages", "links lead to a zone's host", pages(links(at("http://us02.procore.com")))},
		{"link-port", "pages", "links have the port of an internal server", pages(links(at("http://10.0.3.7:9292")))},
		{"link-slash", "pages", "the path of a link ends in a slash", pages(links(func(path, query string) string { return path + "/" + query }))},
		{"link-rel", "pages", "rel is in capitals, unquoted, and not first", pages(unquotedRel)},
		{"link-fields", "pages", "each link has its own header field", pages(linkFields)},
		{"link-absent", "pages", "there is Total, and no Link", pages(header("Link"))},
		{"total-absent", "pages", "there is Link, and neither Total nor Per-Page", pages(header("Total"), header("Per-Page"))},
		{"total-0", "pages", "Total is 0", pages(header("Total", "0"))},
		{"total-odd", "pages", `Total is "many"`, pages(header("Total", "many"))},
		{"item-twice", "pages", "the first item of a list is there twice", answers(lists(firstTwice))},
		{"odd-items", "pages", "a list begins with null, a text, a list and empty objects", answers(lists(oddItems))},
		{"null-lists", "", "an empty list is null", answers(lists(nullList))},
	}
}

// updatedQuirks are the times of a list's items, the range that limits it, and its order.
func updatedQuirks() []Quirk {
	set := func(f func(*listOptions)) how { return option(func(o *Options) { f(&o.lists) }) }
	return []Quirk{
		{"updated-seconds", "updated", "created_at and updated_at are in whole seconds, cut off", answers(fields(text(wholeSeconds), "created_at", "updated_at"))},
		{"updated-absent", "updated", "items of a list have no updated_at", set(func(o *listOptions) { o.undated = true })},
		{"range-open", "range", "neither end of filters[updated_at] is in the range", set(func(o *listOptions) { o.openStart, o.openEnd = true, true })},
		{"range-open-start", "range", "the start of filters[updated_at] is not in the range", set(func(o *listOptions) { o.openStart = true })},
		{"range-open-end", "range", "the end of filters[updated_at] is not in the range", set(func(o *listOptions) { o.openEnd = true })},
		{"range-seconds", "range", "filters[updated_at] is compared with whole seconds, cut off", set(func(o *listOptions) { o.seconds = true })},
		{"range-no-end", "range", "the end of filters[updated_at] is ignored", set(func(o *listOptions) { o.noEnd = true })},
		{"range-ignored", "range", "filters[updated_at] is ignored", set(func(o *listOptions) { o.noFilter = true })},
		{"unsorted", "order", "a list is in no order", set(func(o *listOptions) { o.order = byHash })},
		{"latest-first", "order", "a list begins with what was updated last, so that items move when they change", set(func(o *listOptions) { o.order = latestFirst })},
		{"latest-last", "order", "a list ends with what was updated last, so that items move when they change", set(func(o *listOptions) { o.order = latestLast })},
		{"item-moves", "pages", "an item moves to another page between two calls, once for each list", set(func(o *listOptions) { o.moves = true })},
	}
}

// headerQuirks are the rate limit, and the date.
func headerQuirks() []Quirk {
	limit, remaining, reset := "X-Rate-Limit-Limit", "X-Rate-Limit-Remaining", "X-Rate-Limit-Reset"
	return []Quirk{
		{"limits-absent", "limits", "there is no rate-limit header", answers(header(limit), header(remaining), header(reset))},
		{"limits-0", "limits", "the rate limit is 0, and 0 calls are left", answers(header(limit, "0"), header(remaining, "0"))},
		{"limits-odd", "limits", "the rate limit is in words", answers(header(limit, "high"), header(remaining, "plenty"), header(reset, "soon"))},
		{"limits-past", "limits", "the rate limit's window ended in 1970", answers(header(reset, "1"))},
		{"limits-ms", "limits", "the rate limit's reset is in milliseconds", answers(header(reset, "1893456000000"))},
		{"date-absent", "date", "there is no Date", answers(header("Date"))},
		{"date-odd", "date", "Date is in another form", answers(header("Date", "2026-01-31 12:00"))},
	}
}

// fieldQuirks are the fields of answers.
func fieldQuirks() []Quirk {
	return []Quirk{
		{"field-case", "fields", "names of fields begin with a capital", answers(objects(capitals))},
		{"unknown", "fields", "every object has fields that no document names", answers(objects(unknownFields))},
		{"absent", "fields", "fields that are not needed are absent", answers(needless(absent))},
		{"null", "fields", "fields that are not needed are null", answers(needless(null))},
		{"odd", "fields", "fields that are not needed have another type", answers(needless(odd))},
		{"active-absent", "active", "is_active is absent", answers(objects(func(o map[string]any) { delete(o, "is_active") }))},
		{"active-text", "active", `is_active is "true" or "false"`, answers(fields(boolText, "is_active"))},
		{"names-padded", "", "names have blanks around them", answers(fields(text(padded), "name"))},
		{"numbers-text", "numbers", "numbers are text", answers(values(numberText))},
		{"ids-number", "numbers", "ids are numbers in REST v2 too", answers(objects(numberIDs))},
		{"dates-zone", "dates", "times have an offset and no fraction", answers(times(inZone))},
		{"dates-blank", "dates", "times have a blank instead of T", answers(times(layout("2006-01-02 15:04:05 UTC")))},
		{"dates-odd", "dates", "times are written as in the United States", answers(times(layout("01/02/2006 03:04 PM")))},
		{"dates-number", "dates", "times are Unix seconds", answers(times(func(t time.Time) any { return t.Unix() }))},
	}
}

// echoQuirks are how hooks and triggers come back.
func echoQuirks() []Quirk {
	return []Quirk{
		{"url-slash", "url", "destination_url ends in a slash", answers(fields(text(slashed), "destination_url"))},
		{"url-case", "url", "scheme and host of destination_url are in capitals", answers(fields(text(capitalHost), "destination_url"))},
		{"url-port", "url", "destination_url names the default port", answers(fields(text(defaultPort), "destination_url"))},
		{"headers-masked", "headers", "destination_headers are masked as a whole", answers(fields(masked, "destination_headers"))},
		{"headers-absent", "headers", "destination_headers are null", answers(fields(constant(nil), "destination_headers"))},
		{"resource-case", "", "names of resources are in small letters", answers(fields(text(strings.ToLower), "resource_name"))},
		{"type-case", "types", "types of events are in capitals", answers(fields(text(strings.ToUpper), "event_type"))},
		{"type-past", "types", "types of events are CREATED, UPDATED and DELETED", answers(fields(text(past), "event_type"))},
		{"type-title", "types", "types of events begin with a capital", answers(fields(text(title), "event_type"))},
		{"state-case", "", "the status of a hook is in capitals", answers(fields(text(strings.ToUpper), "status"))},
	}
}

// deliveryQuirks are how an event comes.
func deliveryQuirks() []Quirk {
	names := []string{"resource_name", "resource_type"}
	types := []string{"event_type", "reason"}
	return []Quirk{
		{"event-field-case", "event", "names of an event's fields begin with a capital", deliveries(objects(capitals))},
		{"event-unknown", "event", "an event has fields that no document names", deliveries(objects(unknownFields))},
		{"event-absent", "event", "fields that an event does not need are absent", deliveries(needless(absent))},
		{"event-null", "event", "fields that an event does not need are null", deliveries(needless(null))},
		{"event-metadata", "event", "metadata is a list", deliveries(fields(constant([]any{}), "metadata"))},
		{"event-user", "event", "user_id is -1", deliveries(fields(constant(-1), "user_id"))},
		{"event-ids-text", "event", "ids of an event are text", deliveries(values(numberText))},
		{"event-ids-number", "event", "ids of an event are numbers", deliveries(objects(numberIDs))},
		{"event-dates", "event-dates", "the time of an event is Unix seconds", deliveries(times(func(t time.Time) any { return t.Unix() }))},
		{"event-dates-odd", "event-dates", "the time of an event is in another form", deliveries(times(layout("01/02/2006 03:04 PM")))},
		{"event-type-case", "event-names", "the type of an event is in capitals", deliveries(fields(text(strings.ToUpper), types...))},
		{"event-type-past", "event-names", "the type of an event is CREATED, UPDATED or DELETED", deliveries(fields(text(past), types...))},
		{"event-name-case", "event-names", "the resource of an event is in capitals", deliveries(fields(text(strings.ToUpper), names...))},
		{"event-padded", "event-names", "names in an event have blanks around them", deliveries(fields(text(padded), slices.Concat(names, types)...))},
		{"event-plain", "event-type", "a delivery is text/plain", deliveries(header("Content-Type", "text/plain"))},
		{"event-no-type", "event-type", "a delivery has no content type", deliveries(header("Content-Type"))},
		{"event-bom", "event-coding", "a delivery begins with a byte order mark", deliveries(around("\xef\xbb\xbf", ""))},
		{"event-gzip", "event-coding", "a delivery is gzip", deliveries(gzipped)},
	}
}

// codingQuirks are the content type and the coding.
func codingQuirks() []Quirk {
	return []Quirk{
		{"type-charset", "type", "the content type names a charset", answers(contentType(`Application/JSON;Charset="UTF-8"`))},
		{"type-text", "type", "JSON has the content type text/plain", answers(contentType("text/plain"))},
		{"type-html", "type", "JSON has the content type text/html", answers(contentType("text/html; charset=utf-8"))},
		{"type-absent", "type", "there is no content type", answers(contentType())},
		{"blanks", "", "blanks and empty lines are around the JSON", answers(around("\r\n \t", "\r\n\r\n"))},
		{"bom", "coding", "a byte order mark is before the JSON", answers(around("\xef\xbb\xbf", ""))},
		{"gzip", "coding", "answers are gzip, although the client did not ask", answers(gzipped)},
	}
}
