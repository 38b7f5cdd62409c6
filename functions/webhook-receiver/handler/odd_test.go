package handler

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"procore-connect/internal/testing/fake/awstest"
	"procore-connect/internal/testing/kit/functiontest"
	"procore-connect/pkg/procore"
)

// document is a delivery whose resource has a ULID and whose reason is one of v4.0's own.
const document = `{"id":"01JMYXMZRBVKK0PC6XS8SA4QRE","timestamp":"2026-11-28T16:04:43.619085Z","reason":"Completed","company_id":"5678",` +
	`"project_id":"2001","user_id":"1234567","resource_type":"Document Upload","resource_id":"01JDXMPK0MTP0H41D4PYZ62R6R"}`

// Whatever form the fields have that an event can do without, it is stored, and the queue
// accepts it.
func TestOddDeliveriesAreStored(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("\u6f22", 700) // 2,100 bytes
	with := func(old, changed string) string {
		if !strings.Contains(document, old) {
			t.Fatalf("no %s in the delivery", old)
		}
		return strings.Replace(document, old, changed, 1)
	}
	const key = "5678#Document Upload#01JDXMPK0MTP0H41D4PYZ62R6R"
	for name, tt := range map[string]struct{ body, key string }{
		"a ULID":                     {document, key},
		"a UUID":                     {with("01JDXMPK0MTP0H41D4PYZ62R6R", "2F1C4E5A-8F0E-4A42-9C4F-3A4B5C6D7E8F"), "5678#Document Upload#2F1C4E5A-8F0E-4A42-9C4F-3A4B5C6D7E8F"},
		"user -1":                    {with(`"1234567"`, `-1`), key},
		"no user":                    {with(`"user_id":"1234567",`, ``), key},
		"user a text":                {with(`"1234567"`, `"system"`), key},
		"project a text":             {with(`"2001"`, `"none"`), key},
		"metadata a list":            {with(`{`, `{"metadata":[],`), key},
		"metadata a text":            {with(`{`, `{"metadata":"",`), key},
		"odd time":                   {with(`"2026-11-28T16:04:43.619085Z"`, `"28/11/2026 16:04"`), key},
		"time an object":             {with(`"2026-11-28T16:04:43.619085Z"`, `{}`), key},
		"trailing blanks":            {with(`Document Upload`, `Document Upload  `), key},
		"related resources a map":    {with(`{`, `{"related_resources":{"1":"x"},`), key},
		"data a text":                {with(`{`, `{"data":"x",`), key},
		"unknown fields":             {with(`{`, `{"new":{"deep":[[[]]]},`), key},
		"company a number":           {with(`"5678"`, `5678.0`), key},
		"other letter case":          {with(`"resource_id"`, `"Resource_Id"`), key},
		"byte order mark":            {"\ufeff" + document, key},
		"300 characters":             {with(`Document Upload`, strings.Repeat("x", 300)), "5678#" + strings.Repeat("x", 300) + "#01JDXMPK0MTP0H41D4PYZ62R6R"},
		"700 Chinese characters":     {with(`Document Upload`, long), ""},
		"id of 700 characters":       {with("01JDXMPK0MTP0H41D4PYZ62R6R", long), ""},
		"event id of 700 characters": {with("01JMYXMZRBVKK0PC6XS8SA4QRE", long), key},
		"blanks in the id":           {with("01JDXMPK0MTP0H41D4PYZ62R6R", "a b\\tc"), "5678#Document Upload#a b c"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReceiver(t)
			for range 2 {
				r.good(tt.body).Wants(http.StatusOK)
			}
			if got := strings.Join(r.outcomes(), ", "); got != "stored, duplicate" {
				t.Fatalf("got %s: %v", got, r.Log.Last(t)["reason"])
			}
			row := r.row()
			if got := text(row, "resource"); tt.key != "" && got != tt.key || len(got) > 512 {
				t.Errorf("got key %q, want %q", got, tt.key)
			}
			e, err := procore.ParseEvent([]byte(text(row, "envelope")))
			if err != nil || e.Type != "completed" || tt.key != "" && e.Key() != tt.key {
				t.Errorf("got event %+v, %v", e, err)
			}
			q, err := awstest.NewQueues().Create("q.fifo", awstest.QueueOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := q.Send(awstest.Message{Body: text(row, "envelope"), Group: text(row, "group_id"), Dedup: text(row, "dedup_id")}); err != nil {
				t.Errorf("the queue would never take it: %v", err)
			}
		})
	}
}

// What is dropped of a delivery is named in the log and counted, without its content.
func TestOddFieldsAreCounted(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	r.good(document).Wants(http.StatusOK)
	if line := r.Log.Last(t); line["odd"] != nil || line["odd_fields"] != nil {
		t.Errorf("logged %v", line)
	}
	r.good(strings.NewReplacer("01JMYXMZRBVKK0PC6XS8SA4QRE", "01JMYXMZRBVKK0PC6XS8SA4QRF", `"1234567"`, `"a-private-note"`, `{`, `{"metadata":[],`).Replace(document)).Wants(http.StatusOK)
	if line := r.Log.Last(t); line["odd"] != "metadata user_id" || line["odd_fields"] != float64(2) || line["outcome"] != "stored" {
		t.Errorf("logged %v", line)
	}
	if got, _ := r.Log.Metric(t, "EventFieldsOdd"); got != 2 {
		t.Errorf("%v are counted, want 2", got)
	}
	if strings.Contains(r.Log.String(), "private") {
		t.Error("the content is in the log")
	}
}

func zipped(t *testing.T, s string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A compressed body is stored as what it contains, which has a bound.
func TestGzip(t *testing.T) {
	t.Parallel()
	whole := zipped(t, document)
	for name, tt := range map[string]struct{ body, stored, reason string }{
		"an event":       {whole, document, ""},
		"with a mark":    {zipped(t, "\ufeff"+document), "\ufeff" + document, ""},
		"no JSON":        {zipped(t, "nonsense"), "nonsense", "not a JSON object"},
		"cut":            {whole[:len(whole)-9], whole[:len(whole)-9], "not gzip"},
		"two bytes":      {whole[:2], whole[:2], "not gzip"},
		"200 MB of zero": {zipped(t, strings.Repeat("0", 200<<20)), "", "larger than 128 KB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReceiver(t)
			req := r.request(http.MethodPost, tt.body)
			req.Header.Set("Content-Encoding", "gzip")
			req.Header.Set("Authorization", header(t, functiontest.WebhookValue, company))
			r.Browser(r.base).Do(req).Wants(http.StatusOK)
			row := r.row()
			if got := text(row, "reason"); !strings.Contains(got, tt.reason) || (got == "") != (tt.reason == "") {
				t.Errorf("got reason %q, want %q", got, tt.reason)
			}
			if raw, _ := row["body"].(*types.AttributeValueMemberB); tt.stored != "" && string(raw.Value) != tt.stored {
				t.Errorf("stored %.50q, want %.50q", raw.Value, tt.stored)
			}
		})
	}
}
