package repo

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"testing"
)

// missing is the value of a metric, or of an expression, without a data point.
var missing = math.NaN()

// expression evaluates an expression of CloudWatch's metric math for one period. It knows what template.yaml uses: +, -,
// *, /, comparisons, AND, IF, FILL with a number, SUM and MAX. A part without a value makes the whole have none, except
// in FILL, and in SUM and MAX if another part has one.
//
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
func expression(text string, values map[string]float64) (v float64, err error) {
	p := &formula{tokens: lexeme.FindAllString(text, -1), values: values}
	defer func() {
		if r := recover(); r != nil {
			v, err = 0, fmt.Errorf("%s: %v", text, r)
		}
	}()
	v = p.and()
	if len(p.tokens) > 0 {
		return 0, fmt.Errorf("%s: %v is left", text, p.tokens)
	}
	return v, nil
}

var lexeme = regexp.MustCompile(`[A-Za-z_]\w*|[\d.]+|>=|<=|==|[-+*/<>(),\[\]]|\S`)

type formula struct {
	tokens []string
	values map[string]float64
}

func (p *formula) next() string {
	if len(p.tokens) == 0 {
		panic(errors.New("ends early"))
	}
	t := p.tokens[0]
	p.tokens = p.tokens[1:]
	return t
}

// accept takes the next token if it is one of these.
func (p *formula) accept(all ...string) string {
	for _, t := range all {
		if len(p.tokens) > 0 && p.tokens[0] == t {
			return p.next()
		}
	}
	return ""
}

func (p *formula) expect(t string) {
	if got := p.next(); got != t {
		panic(fmt.Errorf("%q instead of %q", got, t))
	}
}

func truth(b bool, parts ...float64) float64 {
	switch {
	case slices.ContainsFunc(parts, math.IsNaN):
		return missing
	case b:
		return 1
	}
	return 0
}

func (p *formula) and() float64 {
	v := p.compare()
	for p.accept("AND") != "" {
		w := p.compare()
		v = truth(v != 0 && w != 0, v, w)
	}
	return v
}

func (p *formula) compare() float64 {
	v := p.sum()
	switch op := p.accept(">=", "<=", "==", ">", "<"); op {
	case "":
		return v
	default:
		w := p.sum()
		return truth(map[string]bool{">=": v >= w, "<=": v <= w, "==": v == w, ">": v > w, "<": v < w}[op], v, w)
	}
}

func (p *formula) sum() float64 {
	v := p.product()
	for {
		switch p.accept("+", "-") {
		case "+":
			v += p.product()
		case "-":
			v -= p.product()
		default:
			return v
		}
	}
}

func (p *formula) product() float64 {
	v := p.operand()
	for {
		switch p.accept("*", "/") {
		case "*":
			v *= p.operand()
		case "/":
			v /= p.operand()
		default:
			return v
		}
	}
}

func (p *formula) operand() float64 {
	t := p.next()
	if n, err := strconv.ParseFloat(t, 64); err == nil {
		return n
	}
	switch t {
	case "(":
		v := p.and()
		p.expect(")")
		return v
	case "IF", "FILL", "SUM", "MAX":
		return p.call(t)
	}
	v, ok := p.values[t]
	if !ok {
		panic(fmt.Errorf("%q is unknown", t))
	}
	return v
}

func (p *formula) call(name string) float64 {
	p.expect("(")
	list := p.accept("[") != ""
	args := []float64{p.and()}
	for p.accept(",") != "" {
		args = append(args, p.and())
	}
	if list {
		p.expect("]")
	}
	p.expect(")")
	switch {
	case name == "IF" && len(args) == 3 && math.IsNaN(args[0]):
		return missing
	case name == "IF" && len(args) == 3 && args[0] != 0:
		return args[1]
	case name == "IF" && len(args) == 3:
		return args[2]
	case name == "FILL" && len(args) == 2 && math.IsNaN(args[0]):
		return args[1]
	case name == "FILL" && len(args) == 2:
		return args[0]
	case !list || name == "IF" || name == "FILL":
		panic(fmt.Errorf("%s with %d arguments", name, len(args)))
	}
	v := missing
	for _, a := range args {
		switch {
		case math.IsNaN(a):
		case math.IsNaN(v):
			v = a
		case name == "SUM":
			v += a
		default:
			v = max(v, a)
		}
	}
	return v
}

func TestExpression(t *testing.T) {
	t.Parallel()
	values := map[string]float64{"a": 2, "b": 3, "none": missing}
	for text, want := range map[string]float64{
		"a + b * 2":                      8,
		"(a + b) * 2 - 1":                9,
		"b / a":                          1.5,
		"a >= 2 AND b > 3":               0,
		"a == 2 AND b <= 3":              1,
		"IF(a < b, 7, 8)":                7,
		"IF(none > 1, 7, 8)":             missing,
		"FILL(none, 0) - a":              -2,
		"none - a":                       missing,
		"SUM([a,none,b])":                5,
		"MAX([a, b])":                    3,
		"MAX([none])":                    missing,
		"IF(a > 9, 1, IF(b == 3, 4, 5))": 4,
	} {
		got, err := expression(text, values)
		if err != nil || got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Errorf("%s = %v, %v, want %v", text, got, err, want)
		}
	}
	for _, bad := range []string{"", "a +", "c", "SUM(a)", "IF(a, b)", "a b", "METRICS()", "a ? b"} {
		if got, err := expression(bad, values); err == nil {
			t.Errorf("%s = %v, want an error", bad, got)
		}
	}
}
