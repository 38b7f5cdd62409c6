package secrets

import (
	"encoding/binary"
	"testing"
	"unicode/utf16"
)

// utf16Of writes text as Windows does, with a byte order mark.
func utf16Of(text string, order binary.AppendByteOrder) []byte {
	b := order.AppendUint16(nil, 0xfeff)
	for _, unit := range utf16.Encode([]rune(text)) {
		b = order.AppendUint16(b, unit)
	}
	return b
}

// A secret is read whichever way it was entered: typed, pasted, or from a file of any
// editor, as text or as bytes.
func TestForms(t *testing.T) {
	t.Parallel()
	const want = "{\"é\":\"😀\"}"
	for name, value := range map[string][]byte{
		"plain":                 []byte(want),
		"byte order mark":       []byte("\xef\xbb\xbf" + want),
		"blanks around":         []byte("\r\n " + want + " \r\n"),
		"encoded twice":         []byte(" \"{\\\"é\\\":\\\"\\ud83d\\ude00\\\"}\" "),
		"mark and blanks":       []byte("\xef\xbb\xbf" + want + "\r\n"),
		"UTF-16":                utf16Of(want+"\r\n", binary.LittleEndian),
		"UTF-16, big-endian":    utf16Of(want, binary.BigEndian),
		"UTF-16, cut in a unit": append(utf16Of(want, binary.LittleEndian), '\n'),
	} {
		w := newWorld(t, "")
		w.store.PutBinary("app", value)
		w.wantGet(t, name+", binary", false, "parsed "+want, 1)
		if value[0] == 0xff || value[0] == 0xfe {
			continue // JSON cannot carry these bytes as text
		}
		w = newWorld(t, string(value))
		w.wantGet(t, name, false, "parsed "+want, 1)
	}
}

// A secret without a value, or with a mark alone, is an empty text: the parser's error
// explains what to enter.
func TestEmptyForms(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"\xef\xbb\xbf", "\xff\xfe", "\xfe\xff", " \n"} {
		w := newWorld(t, "")
		w.store.PutBinary("app", []byte(value))
		w.wantGet(t, "empty", false, "parsed ", 1)
	}
}
