package dynamotest

import (
	"cmp"
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

// The service's limits for numbers: 38 significant digits, magnitudes from 1E-130 to 9.99E+125.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
const (
	maxDigits    = 38
	maxMagnitude = 125
	minMagnitude = -130
)

var numberPattern = regexp.MustCompile(`^[+-]?(\d{1,300}\.?\d{0,300}|\.\d{1,300})([eE][+-]?\d{1,3})?$`)

// canonical returns the one spelling that equal numbers share, without an exponent, as the service returns it.
func canonical(text string) string {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return strconv.FormatInt(n, 10) // what almost all are, and much faster
	}
	if !numberPattern.MatchString(text) {
		refuse("The parameter cannot be converted to a numeric value: %.40s", text)
	}
	return spell(rational(text))
}

// rational reads a number that is known to be one.
func rational(text string) *big.Rat {
	r, _ := new(big.Rat).SetString(text)
	return r
}

func spell(r *big.Rat) string {
	text := r.FloatString(maxDigits - minMagnitude) // exact for every number within the limits
	text = strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
	unsigned := strings.TrimPrefix(text, "-")
	whole, _, _ := strings.Cut(unsigned, ".")
	digits := strings.Trim(strings.Replace(unsigned, ".", "", 1), "0")
	switch {
	case r.Sign() == 0:
		return "0"
	case len(whole) > maxMagnitude+1:
		refuse("Number overflow. Attempting to store a number with magnitude larger than supported range")
	case new(big.Rat).Abs(r).Cmp(rational("1e"+strconv.Itoa(minMagnitude))) < 0:
		refuse("Number underflow. Attempting to store a number with magnitude smaller than supported range")
	case len(digits) > maxDigits:
		refuse("Attempting to store more than %d significant digits in a Number", maxDigits)
	}
	return text
}

func compareNumbers(a, b string) int {
	x, errX := strconv.ParseInt(a, 10, 64)
	y, errY := strconv.ParseInt(b, 10, 64)
	if errX == nil && errY == nil {
		return cmp.Compare(x, y)
	}
	return rational(a).Cmp(rational(b))
}

// addNumbers returns a + b, or a - b.
func addNumbers(a, b, operator string) string {
	x, y := rational(a), rational(b)
	if operator == "-" {
		y.Neg(y)
	}
	return spell(x.Add(x, y))
}
