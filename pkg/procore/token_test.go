package procore

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestDecodeTokenLifetime(t *testing.T) {
	t.Parallel()
	received := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		fields string
		want   time.Duration
	}{
		"today's":     {`,"expires_in":5400`, 90 * time.Minute},
		"older":       {`,"expires_in":7200`, 2 * time.Hour},
		"short":       {`,"expires_in":1`, time.Second},
		"a fraction":  {`,"expires_in":1.5`, 1500 * time.Millisecond},
		"exponent":    {`,"expires_in":5.4e3`, 90 * time.Minute},
		"a string":    {`,"expires_in":"5400"`, 90 * time.Minute},
		"missing":     {``, assumedLifetime},
		"null":        {`,"expires_in":null`, assumedLifetime},
		"zero":        {`,"expires_in":0`, assumedLifetime},
		"negative":    {`,"expires_in":-5400`, assumedLifetime},
		"empty":       {`,"expires_in":""`, assumedLifetime},
		"words":       {`,"expires_in":"90 minutes"`, assumedLifetime},
		"not a word":  {`,"expires_in":"NaN"`, assumedLifetime},
		"a boolean":   {`,"expires_in":true`, assumedLifetime},
		"an object":   {`,"expires_in":{"seconds":5400}`, assumedLifetime},
		"a year":      {`,"expires_in":31536000`, maxLifetime},
		"no duration": {`,"expires_in":9223372036854775807`, maxLifetime},
		"no int64":    {`,"expires_in":1e300`, maxLifetime},
		"no float64":  {`,"expires_in":1e999`, assumedLifetime},
		"infinite":    {`,"expires_in":"Inf"`, assumedLifetime},

		// created_at does not cause an earlier refresh: the lifetime counts from the answer.
		"created before":   {`,"expires_in":5400,"created_at":999999400`, 90 * time.Minute},
		"created long ago": {`,"expires_in":5400,"created_at":1`, 90 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := `{"access_token":"fake-access-1","refresh_token":"fake-refresh-1"` + tt.fields + `}`
			got := readTokenFields(nil, []byte(body)).token(received)
			if got.AccessToken.Reveal() != "fake-access-1" || got.RefreshToken.Reveal() != "fake-refresh-1" {
				t.Fatal("the pair is lost")
			}
			if got, want := got.Expiry.Sub(received), tt.want; got != want {
				t.Errorf("valid for %v, want %v", got, want)
			}
		})
	}
}

// created_at may be anything: it costs neither the pair nor any of its lifetime.
func TestDecodeTokenIssuedAt(t *testing.T) {
	t.Parallel()
	received := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	hourAgo, none := received.Add(-time.Hour), time.Time{}
	seconds := func(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }
	for name, tt := range map[string]struct {
		field string
		want  time.Time
	}{
		"a number":            {`,"created_at":` + seconds(hourAgo), hourAgo},
		"a string":            {`,"created_at":" ` + seconds(hourAgo) + ` "`, hourAgo},
		"in capitals":         {`,"Created_At":` + seconds(hourAgo), hourAgo},
		"a fraction":          {`,"created_at":` + seconds(hourAgo) + `.9`, hourAgo},
		"text":                {`,"created_at":"2026-11-01T11:00:00Z"`, hourAgo},
		"text with a zone":    {`,"created_at":"2026-11-01T12:00:00.25+01:00"`, hourAgo},
		"now":                 {`,"created_at":` + seconds(received), received},
		"a clock ahead":       {`,"created_at":` + seconds(received.Add(maxLifetime)), received.Add(maxLifetime)},
		"a clock behind":      {`,"created_at":` + seconds(received.Add(-maxLifetime)), received.Add(-maxLifetime)},
		"too far ahead":       {`,"created_at":` + seconds(received.Add(maxLifetime+time.Second)), none},
		"too long ago":        {`,"created_at":` + seconds(received.Add(-maxLifetime-time.Second)), none},
		"text, too long ago":  {`,"created_at":"0001-01-01T00:00:00Z"`, none},
		"text, far ahead":     {`,"created_at":"9999-12-31T23:59:59Z"`, none},
		"missing":             {``, none},
		"null":                {`,"created_at":null`, none},
		"null, then a number": {`,"created_at":null,"created_at":` + seconds(hourAgo), hourAgo},
		"zero":                {`,"created_at":0`, none},
		"negative":            {`,"created_at":-` + seconds(hourAgo), none},
		"milliseconds":        {`,"created_at":` + seconds(hourAgo) + `000`, none},
		"no int64":            {`,"created_at":1e300`, none},
		"no float64":          {`,"created_at":1e999`, none},
		"infinite":            {`,"created_at":"-Inf"`, none},
		"empty":               {`,"created_at":""`, none},
		"words":               {`,"created_at":"yesterday"`, none},
		"a date":              {`,"created_at":"2026-11-01"`, none},
		"a boolean":           {`,"created_at":true`, none},
		"an object":           {`,"created_at":{"at":` + seconds(hourAgo) + `}`, none},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := `{"access_token":"fake-access-1","refresh_token":"fake-refresh-1","expires_in":5400` + tt.field + `}`
			got := readTokenFields(nil, []byte(body)).token(received)
			if got.AccessToken.Reveal() != "fake-access-1" || got.RefreshToken.Reveal() != "fake-refresh-1" {
				t.Fatal("the pair is lost")
			}
			if got := got.Expiry.Sub(received); got != 90*time.Minute {
				t.Errorf("valid for %v, want 90 minutes", got)
			}
			if !got.IssuedAt.Equal(tt.want) {
				t.Errorf("issued at %v, want %v", got.IssuedAt, tt.want)
			}
		})
	}
	if got := readTokenFields(nil, []byte(`access_token=a&refresh_token=r&created_at=`+seconds(hourAgo))).token(received).IssuedAt; !got.Equal(hourAgo) {
		t.Errorf("a form: issued at %v, want %v", got, hourAgo)
	}
}

// The monotonic clock stops while a Lambda is frozen. An expiry with a reading of it would
// be compared by it.
func TestDecodeTokenHasNoMonotonicClock(t *testing.T) {
	t.Parallel()
	got := readTokenFields(nil, []byte(testPair)).token(time.Now())
	if strings.Contains(got.Expiry.String(), "m=") {
		t.Errorf("expiry = %v, want the wall clock's alone", got.Expiry)
	}
}

// R2: a pair is kept in whatever form its answer comes.
func TestTokenAnswers(t *testing.T) {
	t.Parallel()
	const a, r = "fake-access-1", "fake-refresh-1"
	var zipped, deflated bytes.Buffer
	for _, w := range []io.WriteCloser{gzip.NewWriter(&zipped), zlib.NewWriter(&deflated)} {
		_, _ = w.Write([]byte(`{"access_token":"fake-access-1","refresh_token":"fake-refresh-1"}`))
		w.Close()
	}
	long := strings.Repeat("x", 20<<10)
	for name, tt := range map[string]struct {
		body            string
		coding          string
		access, refresh string
	}{
		"a pair":               {body: `{"access_token":"fake-access-1","refresh_token":"fake-refresh-1"}`, access: a, refresh: r},
		"a byte order mark":    {body: "\xef\xbb\xbf" + `{"access_token":"fake-access-1","refresh_token":"fake-refresh-1"}`, access: a, refresh: r},
		"gzip":                 {body: zipped.String(), coding: "gzip", access: a, refresh: r},
		"gzip, not declared":   {body: zipped.String(), access: a, refresh: r},
		"gzip, cut":            {body: zipped.String()[:zipped.Len()-4], coding: "gzip", access: a, refresh: r},
		"deflate":              {body: deflated.String(), coding: "Deflate", access: a, refresh: r},
		"gzip that is not":     {body: `{"access_token":"fake-access-1"}`, coding: "gzip", access: a},
		"in capitals":          {body: `{"Access_Token":"fake-access-1","REFRESH_TOKEN":"fake-refresh-1"}`, access: a, refresh: r},
		"another type":         {body: `{"access_token":"fake-access-1","token_type":"Bearer ","refresh_token":"fake-refresh-1"}`, access: a, refresh: r},
		"type as a number":     {body: `{"token_type":5,"access_token":"fake-access-1","refresh_token":"fake-refresh-1"}`, access: a, refresh: r},
		"unknown fields":       {body: `{"x":null,"scope":["a",{"b":[]}],"access_token":"fake-access-1","y":true,"refresh_token":"fake-refresh-1"}`, access: a, refresh: r},
		"wrapped":              {body: `{"data":{"access_token":"fake-access-1","refresh_token":"fake-refresh-1"}}`, access: a, refresh: r},
		"cut behind the pair":  {body: `{"access_token":"fake-access-1","refresh_token":"fake-refresh-1","expires_in":54`, access: a, refresh: r},
		"cut in the pair":      {body: `{"access_token":"fake-access-1","refresh_token":"fake-refr`, access: a},
		"something behind it":  {body: `{"access_token":"fake-access-1","refresh_token":"fake-refresh-1"}<!-- -->`, access: a, refresh: r},
		"form encoded":         {body: `access_token=fake-access-1&refresh_token=fake-refresh-1&expires_in=5400`, access: a, refresh: r},
		"twice":                {body: `{"access_token":"fake-access-1","access_token":"fake-access-2"}`, access: a},
		"a null refresh token": {body: `{"access_token":"fake-access-1","refresh_token":null}`, access: a},
		"an empty one":         {body: `{"access_token":"fake-access-1","refresh_token":""}`, access: a},
		"long":                 {body: `{"access_token":"` + long + `","refresh_token":"` + long + `"}`, access: long, refresh: long},
		"no access token":      {body: `{"refresh_token":"fake-refresh-1"}`, refresh: r},
		"a token in a list":    {body: `["access_token","fake-access-1"]`},
		"null":                 {body: `null`},
		"nothing":              {},
		"deep":                 {body: strings.Repeat("[", maxTokenAnswer)},
		"a page":               {body: `<html>access_token</html>`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := readTokenFields(http.Header{"Content-Encoding": {tt.coding}}, []byte(tt.body))
			if f.access != tt.access || f.refresh != tt.refresh {
				t.Errorf("got %q and %q, want %q and %q", f.access, f.refresh, tt.access, tt.refresh)
			}
		})
	}
}
