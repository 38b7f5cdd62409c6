package dynamotest

import (
	"cmp"
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

// A number is an exact decimal without an exponent, as the service returns it. Equal numbers have the same spelling.
type number string

var numberPattern = regexp.MustCompile(`^[+-]?(\d{1,300}\.?\d{0,300}|\.\d{1,300})([eE][+-]?\d{1,3})?$`)

// numberOf reads a number in any spelling.
func numberOf(text string) value {
	if i, err := strconv.ParseInt(text, 10, 64); err == nil { // almost every number is one, and this is much faster
		return value{kind: "N", text: strconv.FormatInt(i, 10)}
	}
	if !numberPattern.MatchString(text) {
		refuse("The parameter cannot be converted to a numeric value: %.40s", text)
	}
	return value{kind: "N", text: string(spell(number(text).rational()))}
}

func (n number) rational() *big.Rat {
	r, _ := new(big.Rat).SetString(string(n)) // every number parses
	return r
}

// spell returns r as a number. It refuses one beyond the service's limits: 38 significant digits, magnitudes from 1E-130
// to 9.99E+125.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
func spell(r *big.Rat) number {
	text := r.FloatString(38 + 130) // exact for every number within the limits
	digits := strings.Trim(strings.Replace(text, ".", "", 1), "-0")
	size := new(big.Rat).Abs(r)
	switch {
	case r.Sign() == 0:
		return "0"
	case size.Cmp(number("1e126").rational()) >= 0 || size.Cmp(number("1e-130").rational()) < 0 || len(digits) > 38:
		refuse("Number overflow, underflow, or attempting to store more than 38 significant digits in a Number")
	}
	return number(strings.TrimSuffix(strings.TrimRight(text, "0"), "."))
}

func (n number) compare(m number) int {
	x, errX := strconv.ParseInt(string(n), 10, 64)
	y, errY := strconv.ParseInt(string(m), 10, 64)
	if errX == nil && errY == nil {
		return cmp.Compare(x, y)
	}
	return n.rational().Cmp(m.rational())
}

// plus returns n + m, or n - m if that is the operator.
func (n number) plus(m number, operator string) number {
	i, errI := strconv.ParseInt(string(n), 10, 32)
	j, errJ := strconv.ParseInt(string(m), 10, 32)
	if operator == "-" {
		j = -j
	}
	if errI == nil && errJ == nil { // as in numberOf, and no sum overflows
		return number(strconv.FormatInt(i+j, 10))
	}
	x, y := n.rational(), m.rational()
	if operator == "-" {
		y.Neg(y)
	}
	return spell(x.Add(x, y))
}
