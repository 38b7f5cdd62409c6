package doctor

import (
	"context"
	"fmt"
	"net/http"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"procore-connect/internal/invariants"
)

// clock compares the clock of this machine with that of AWS and that of Procore. The protocol allows for clocks of
// processes that differ by [invariants.Skew], and a verb that refreshes is such a process.
func (d *Doctor) clock(ctx context.Context) []Finding {
	var found []Finding
	for _, one := range []struct {
		name string
		ask  func(context.Context) (time.Time, error)
	}{{"AWS", d.awsTime}, {"Procore", d.procoreTime}} {
		before := d.Clock().Now()
		theirs, err := one.ask(ctx)
		after := d.Clock().Now()
		if err != nil {
			found = append(found, d.cannot("the time of "+one.name, err))
			continue
		}
		// A Date has no fraction, and the answer took a while.
		off := time.Duration(0)
		switch {
		case before.Sub(theirs) > time.Second:
			off = before.Sub(theirs)
		case theirs.Sub(after) > 0:
			off = after.Sub(theirs)
		}
		if off.Abs() > invariants.Skew {
			direction := "ahead of"
			if off < 0 {
				direction = "behind"
			}
			found = append(found, Finding{Verdict: Failed, Finding: fmt.Sprintf("this machine is %v %s %s; %v is too much", off.Abs().Round(time.Second), direction, one.name, invariants.Skew),
				Next: "set this machine's clock by NTP, and refresh and revoke nothing from here before"})
		}
	}
	return orOK(found, "this machine, AWS and Procore agree within %v", invariants.Skew)
}

func (d *Doctor) awsTime(ctx context.Context) (time.Time, error) {
	out, err := sts.NewFromConfig(d.AWS()).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return time.Time{}, err
	}
	at, dated := awsmiddleware.GetServerTime(out.ResultMetadata)
	if !dated {
		return time.Time{}, errNoDate
	}
	return at, nil
}

func (d *Doctor) procoreTime(ctx context.Context) (time.Time, error) {
	got, err := d.ask(ctx, http.MethodHead, d.Connections.Tokens.Environment.LoginURL+"/")
	if err != nil {
		return time.Time{}, err
	}
	at, err := http.ParseTime(got.header.Get("Date"))
	if err != nil {
		return time.Time{}, errNoDate
	}
	return at, nil
}
