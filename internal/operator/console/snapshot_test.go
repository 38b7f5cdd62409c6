package console

import (
	"context"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"procore-connect/internal/operator"
)

// A list whose reading began before a change is not shown after it.
func TestListAfterChange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		readings := 0
		s := &snapshot{read: func(context.Context) ([]operator.Connection, error) {
			readings++
			n := readings
			<-time.After(firstWait / 3)
			return []operator.Connection{{Company: strconv.Itoa(n)}}, nil
		}}
		now := time.Now()
		s.begin(t.Context(), now)
		synctest.Wait() // it reads
		s.changed()
		for range 2 { // the second request finds what the first one waited for
			list, _, err := s.get(t.Context(), now)
			if err != nil || len(list) != 1 || list[0].Company != "2" || readings != 2 {
				t.Errorf("%+v after %d readings, %v", list, readings, err)
			}
		}
	})
}
