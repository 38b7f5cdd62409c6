package invariants

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Item is an item of a table.
type Item map[string]Attribute

// Attribute is an attribute value as it is on the wire: one field is set. Types that
// the tables do not use are omitted.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html
type Attribute struct {
	S    *string     `json:",omitempty"`
	N    *string     `json:",omitempty"`
	B    []byte      `json:",omitempty"`
	BOOL *bool       `json:",omitempty"`
	SS   []string    `json:",omitempty"`
	L    []Attribute `json:",omitempty"`
	M    Item        `json:",omitempty"`
}

// ItemOf converts an item that the SDK has read.
func ItemOf(m map[string]types.AttributeValue) Item {
	i := make(Item, len(m))
	for name, v := range m {
		i[name] = attributeOf(v)
	}
	return i
}

func attributeOf(v types.AttributeValue) Attribute {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return Attribute{S: &v.Value}
	case *types.AttributeValueMemberN:
		return Attribute{N: &v.Value}
	case *types.AttributeValueMemberB:
		return Attribute{B: v.Value}
	case *types.AttributeValueMemberBOOL:
		return Attribute{BOOL: &v.Value}
	case *types.AttributeValueMemberSS:
		return Attribute{SS: slices.Sorted(slices.Values(v.Value))}
	case *types.AttributeValueMemberM:
		return Attribute{M: ItemOf(v.Value)}
	case *types.AttributeValueMemberL:
		list := make([]Attribute, len(v.Value))
		for n, e := range v.Value {
			list[n] = attributeOf(e)
		}
		return Attribute{L: list}
	}
	return Attribute{}
}
