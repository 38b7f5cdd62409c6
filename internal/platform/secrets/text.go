package secrets

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"strings"
	"unicode/utf16"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// Text returns a secret's text, whichever way it was entered: as a string or as a file's
// bytes, with a byte order mark in front, in the UTF-16 that editors and shells on Windows
// write, or as a JSON string of the text, as tools make that encode a value twice.
func Text(out *secretsmanager.GetSecretValueOutput) string {
	value := decoded(out)
	var inner string
	if strings.HasPrefix(value, `"`) && json.Unmarshal([]byte(value), &inner) == nil {
		return strings.TrimSpace(inner)
	}
	return value
}

func decoded(out *secretsmanager.GetSecretValueOutput) string {
	b := []byte(aws.ToString(out.SecretString))
	if len(b) == 0 {
		b = out.SecretBinary
	}
	if rest, ok := bytes.CutPrefix(b, []byte("\xff\xfe")); ok {
		return fromUTF16(rest, binary.LittleEndian)
	}
	if rest, ok := bytes.CutPrefix(b, []byte("\xfe\xff")); ok {
		return fromUTF16(rest, binary.BigEndian)
	}
	return strings.TrimSpace(string(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))))
}

func fromUTF16(b []byte, order binary.ByteOrder) string {
	var units []uint16
	for ; len(b) >= 2; b = b[2:] {
		units = append(units, order.Uint16(b))
	}
	return strings.TrimSpace(string(utf16.Decode(units)))
}
