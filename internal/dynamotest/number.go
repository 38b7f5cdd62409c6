package dynamotest

import (
	"math/big"
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
	maxNumberLen = 512 // characters; longer spellings of a number are refused unread
)

// A number is coef × 10^exp, exactly.
type number struct {
	coef *big.Int
	exp  int
}

// parseNumber reads a number and returns it in the one spelling that equal numbers share.
func parseNumber(text string) (number, string, error) {
	bad := badValue("The parameter cannot be converted to a numeric value: %.40s", text)
	if len(text) > maxNumberLen {
		return number{}, "", bad
	}
	n, mantissa := number{coef: new(big.Int)}, text
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		exp, err := strconv.Atoi(text[i+1:])
		if err != nil || exp < -1000 || exp > 1000 {
			return number{}, "", bad
		}
		n.exp, mantissa = exp, text[:i]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	if strings.ContainsAny(fraction, "+-") {
		return number{}, "", bad
	}
	if _, ok := n.coef.SetString(whole+fraction, 10); !ok {
		return number{}, "", bad
	}
	n.exp -= len(fraction)
	canonical, err := n.text()
	return n, canonical, err
}

func numberOf(n int64) number { return number{coef: big.NewInt(n)} }

// mustNumber reads a number that was stored, so is known to be one.
func mustNumber(text string) number {
	n, _, _ := parseNumber(text)
	return n
}

func (n number) cmp(m number) int {
	a, b, _ := align(n, m)
	return a.Cmp(b)
}

// add returns n + sign*m in canonical spelling.
func (n number) add(m number, sign int64) (string, error) {
	a, b, exp := align(n, m)
	sum := b.Mul(b, big.NewInt(sign))
	return number{sum.Add(a, sum), exp}.text()
}

// align returns copies of the coefficients under a common exponent.
func align(n, m number) (a, b *big.Int, exp int) {
	exp = min(n.exp, m.exp)
	scale := func(x number) *big.Int {
		power := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(x.exp-exp)), nil)
		return power.Mul(power, x.coef)
	}
	return scale(n), scale(m), exp
}

// text checks the limits and spells the number without an exponent, as the service returns it.
func (n number) text() (string, error) {
	if n.coef.Sign() == 0 {
		return "0", nil
	}
	digits := new(big.Int).Abs(n.coef).String()
	significant := strings.TrimRight(digits, "0")
	exp := n.exp + len(digits) - len(significant)
	switch magnitude := len(significant) + exp - 1; {
	case magnitude > maxMagnitude:
		return "", invalid("Number overflow. Attempting to store a number with magnitude larger than supported range")
	case magnitude < minMagnitude:
		return "", invalid("Number underflow. Attempting to store a number with magnitude smaller than supported range")
	case len(significant) > maxDigits:
		return "", invalid("Attempting to store more than 38 significant digits in a Number")
	}
	sign := ""
	if n.coef.Sign() < 0 {
		sign = "-"
	}
	switch point := len(significant) + exp; {
	case exp >= 0:
		return sign + significant + strings.Repeat("0", exp), nil
	case point > 0:
		return sign + significant[:point] + "." + significant[point:], nil
	default:
		return sign + "0." + strings.Repeat("0", -point) + significant, nil
	}
}
