// Package dynamo reads and writes items of DynamoDB: typed attributes, expressions whose placeholders are made once, the
// reasons of a refused write, and rows that change only as they were read.
//
// The SDK's attributevalue was tried instead. It stores a zero time as -62135596800, and its errors name no attribute.
package dynamo

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Item is a whole item, its key, or another part of it. A nil value stands for an attribute that the item lacks.
type Item = map[string]types.AttributeValue

// Compact removes the attributes without a value, which DynamoDB would refuse, and returns the item.
func Compact(i Item) Item {
	maps.DeleteFunc(i, func(_ string, v types.AttributeValue) bool { return v == nil })
	return i
}

// Text returns the value of a text, nil for an empty one.
func Text(s string) types.AttributeValue {
	if s == "" {
		return nil
	}
	return &types.AttributeValueMemberS{Value: s}
}

// Bytes returns the value of binary data, nil for nil.
func Bytes(b []byte) types.AttributeValue {
	if b == nil {
		return nil
	}
	return &types.AttributeValueMemberB{Value: b}
}

// Texts returns the value of a string set with each text once, nil for no texts.
func Texts(all []string) types.AttributeValue {
	if len(all) == 0 {
		return nil
	}
	return &types.AttributeValueMemberSS{Value: sortedSet(all)}
}

func sortedSet(all []string) []string { return slices.Compact(slices.Sorted(slices.Values(all))) }

// ID returns the value of a company's id, which keys hold as text.
func ID(n int64) types.AttributeValue { return Text(strconv.FormatInt(n, 10)) }

// Number returns the value of a number, zero included.
func Number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

// NonZero returns the value of a number, nil for zero.
func NonZero(n int64) types.AttributeValue { return numberIf(n != 0, n) }

// Seconds returns the value of a time in Unix seconds, nil for the zero time.
func Seconds(t time.Time) types.AttributeValue { return numberIf(!t.IsZero(), t.Unix()) }

// Millis returns the value of a time in Unix milliseconds, nil for the zero time. The attribute's name ends in _ms.
func Millis(t time.Time) types.AttributeValue { return numberIf(!t.IsZero(), t.UnixMilli()) }

func numberIf(present bool, n int64) types.AttributeValue {
	if !present {
		return nil
	}
	return Number(n)
}

func boolean(b bool) types.AttributeValue { return &types.AttributeValueMemberBOOL{Value: b} }

func nonZeroID(n int64) types.AttributeValue {
	if n == 0 {
		return nil
	}
	return ID(n)
}
