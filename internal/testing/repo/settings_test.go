package repo

import (
	"slices"
	"strconv"
	"testing"
)

// settings are values for parameters of the template. The others have their defaults.
type settings map[string]string

// parameter returns the value of a parameter.
func (s settings) parameter(t *testing.T, name string) string {
	t.Helper()
	if v, ok := s[name]; ok {
		return v
	}
	p := get(template(t), "Parameters", name)
	if !slices.Contains(keysOf(p), "Default") {
		t.Fatalf("template.yaml has no parameter %s", name)
	}
	return text(get(p, "Default"))
}

// value resolves Ref and If.
func (s settings) value(t *testing.T, n node) string {
	t.Helper()
	f, ok := n.(tagged)
	switch {
	case !ok:
		return text(n)
	case f.tag == "Ref":
		return s.parameter(t, text(f.value))
	case f.tag == "If":
		of := items(f.value)
		if s.holds(t, get(template(t), "Conditions", text(of[0]))) {
			return s.value(t, of[1])
		}
		return s.value(t, of[2])
	}
	t.Fatalf("template.yaml: this test cannot resolve %v", n)
	return ""
}

// holds evaluates Not and Equals.
func (s settings) holds(t *testing.T, n node) bool {
	t.Helper()
	f, _ := n.(tagged)
	of := items(f.value)
	switch {
	case f.tag == "Not" && len(of) == 1:
		return !s.holds(t, of[0])
	case f.tag == "Equals" && len(of) == 2:
		return s.value(t, of[0]) == s.value(t, of[1])
	}
	t.Fatalf("template.yaml: this test cannot evaluate %v", n)
	return false
}

// number resolves a value that is a number.
func (s settings) number(t *testing.T, n node) float64 {
	t.Helper()
	v := s.value(t, n)
	f, err := strconv.ParseFloat(v, 64)
	if err != nil {
		t.Fatalf("template.yaml: %q of %v is no number", v, n)
	}
	return f
}

// consumersAtOnce is how many events the example consumer handles at once.
func consumersAtOnce(t *testing.T) node {
	t.Helper()
	return get(triggerOf(t, template(t), "EventConsumerFunction", "Queue"), "ScalingConfig", "MaximumConcurrency")
}

// Of a parameter that decides others, both sides are what docs/DEPLOY.md states.
func TestSettings(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Refresh", "Housekeeping"} {
		rate := get(triggerOf(t, template(t), "RefresherFunction", name), "ScheduleExpression")
		if one, five := (settings{}).value(t, rate), (settings{"RefresherShares": "5"}).value(t, rate); one != "rate(5 minutes)" || five != "rate(1 minute)" {
			t.Errorf("%s runs at %s with one share and at %s with five; a cycle is five minutes", name, one, five)
		}
	}
}
