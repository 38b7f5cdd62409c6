package inbox

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

// An erasure deletes a company's events, quarantine and counters, and no other company's.
func TestErase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	add := func(company int64, n int) {
		t.Helper()
		for i := range n {
			e := decode(t, payload)
			e.CompanyID, e.ResourceID, e.ID = company, "1", fmt.Sprintf("01JA8Z7Q4M6X2V9T3C5B1%05d", i)
			if _, err := w.Add(t.Context(), e, []byte(payload)); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 3 {
			if _, err := w.quarantine(t, company, fmt.Sprint("not understood", i)); err != nil {
				t.Fatal(err)
			}
			w.now = w.now.Add(time.Hour)
		}
	}
	const many = erasedBetween + 20
	add(5678, many)
	add(56789, 2)
	var progress []int
	events, quarantined, err := w.Erase(t.Context(), 5678, func(n int) { progress = append(progress, n) })
	if err != nil || events != many || quarantined != 3 || len(progress) != 1 {
		t.Errorf("got %d events, %d quarantined, progress %v, %v; want %d, 3 and one report", events, quarantined, progress, err, many)
	}
	if events, quarantined, err = w.Erase(t.Context(), 5678, nil); err != nil || events+quarantined != 0 {
		t.Errorf("a second time: %d events, %d quarantined, %v", events, quarantined, err)
	}
	out, err := w.DB.Scan(t.Context(), &dynamodb.ScanInput{TableName: &w.Table})
	if err != nil || len(out.Items) != 2+3+3 { // events, quarantined, and a counter for each hour
		t.Errorf("%d items are left, %v; want the other company's 8", len(out.Items), err)
	}
}
