package logs

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// maxText is the longest text that is searched for, in bytes.
const maxText = 200

// Filter is a condition on lines. The zero value chooses nothing: a query over everything is a mistake that costs money.
type Filter struct {
	text string
	err  error
}

// Contains chooses lines whose whole text has this one in it.
func Contains(text string) Filter {
	quoted, err := quote(text)
	return Filter{"@message like " + quoted, err}
}

// Text chooses lines whose attribute is one of these texts. It needs at least one.
func Text(attribute string, values ...string) Filter {
	var all []string
	var errs []error
	for _, v := range values {
		quoted, err := quote(v)
		all, errs = append(all, quoted), append(errs, err)
	}
	if len(values) == 0 {
		errs = append(errs, errors.New("logs: no value to search for"))
	}
	return Filter{attribute + " in [" + strings.Join(all, ", ") + "]", errors.Join(errs...)}
}

// Number chooses lines whose attribute is this number.
func Number(attribute string, value int64) Filter {
	return Filter{text: attribute + " = " + strconv.FormatInt(value, 10)}
}

// All chooses lines that all filters choose.
func All(filters ...Filter) Filter { return join(" and ", filters) }

// Any chooses lines that at least one of the filters chooses.
func Any(filters ...Filter) Filter { return join(" or ", filters) }

func join(word string, filters []Filter) Filter {
	var all []string
	var errs []error
	for _, f := range filters {
		all, errs = append(all, f.text), append(errs, f.err)
	}
	return Filter{"(" + strings.Join(all, word) + ")", errors.Join(errs...)}
}

// quote returns a text as the query language reads it. A person typed or pasted the text, or Procore sent it; a quote in it
// would end it early and let the rest be read as a query. No id that we search for has one, so the text is refused, which
// needs no trust in how the service reads escapes.
func quote(text string) (string, error) {
	if text == "" || len(text) > maxText {
		return "", fmt.Errorf("%.40q cannot be searched for: a text has 1 to %d characters", text, maxText)
	}
	if strings.ContainsFunc(text, func(r rune) bool { return strings.ContainsRune("\"'`\\|", r) || !unicode.IsPrint(r) }) {
		return "", fmt.Errorf("%.40q cannot be searched for: an id has no quotes, no backslash and no |", text)
	}
	return `"` + text + `"`, nil
}

// Searchable reports whether a text can be searched for. An id of which Procore sends something else is not.
func Searchable(text string) bool {
	_, err := quote(text)
	return err == nil
}

// maxQuery is the longest text of a query.
//
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_StartQuery.html
const maxQuery = 10_000

// text returns the query as the service takes it.
func (q Query) text() (string, error) {
	limit := q.limit()
	text := fmt.Sprintf("fields @timestamp, @log, @logStream, @message | filter %s | sort @timestamp asc | limit %d", q.Filter.text, limit)
	switch {
	case q.Filter.err != nil:
		return "", q.Filter.err
	case q.Filter.text == "":
		return "", errors.New("logs: a query needs a filter")
	case q.From.IsZero():
		return "", errors.New("logs: a query needs a time to begin at")
	case limit < 1 || limit > MaxLimit:
		return "", fmt.Errorf("the limit is not between 1 and %d", MaxLimit)
	case len(text) > maxQuery:
		return "", fmt.Errorf("logs: the query has %d characters, over %d", len(text), maxQuery)
	}
	return text, nil
}
