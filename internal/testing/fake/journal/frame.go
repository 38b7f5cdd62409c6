package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// A file is the magic line and then frames. A frame is what one write adds: the length of its entries and their
// checksum, the checksum of these eight bytes, and the entries. An entry is a key and a value with their lengths before
// them; the length of a value is one more, because 0 deletes the key.
const (
	magic  = "procore-connect journal 1\n"
	header = 12
)

var (
	errMagic = errors.New("the state has another format, or is none: start over (-fresh)")
	checksum = crc32.MakeTable(crc32.Castagnoli)
)

func frame(entries []byte) []byte {
	b := make([]byte, header, header+len(entries))
	binary.LittleEndian.PutUint32(b, uint32(len(entries)))
	binary.LittleEndian.PutUint32(b[4:], crc32.Checksum(entries, checksum))
	binary.LittleEndian.PutUint32(b[8:], crc32.Checksum(b[:8], checksum))
	return append(b, entries...)
}

func appendEntry(b []byte, key string, value []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(key)))
	b = append(b, key...)
	if value == nil {
		return binary.AppendUvarint(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(len(value))+1)
	return append(b, value...)
}

// decode passes each entry of a file to apply. It cuts the last frame if a crash tore it.
func decode(file []byte, apply func(key string, value []byte)) error {
	rest, ok := bytes.CutPrefix(file, []byte(magic))
	if !ok {
		return errMagic
	}
	for len(rest) > 0 {
		entries, ok := whole(rest)
		if !ok {
			if torn(rest) {
				return nil
			}
			return fmt.Errorf("the state is damaged after %d bytes: restore the directory from a backup, or start over (-fresh)",
				len(file)-len(rest))
		}
		rest = rest[header+len(entries):]
		if err := decodeEntries(entries, apply); err != nil {
			return err
		}
	}
	return nil
}

// whole returns the entries of the frame with which b begins.
func whole(b []byte) (entries []byte, ok bool) {
	n, ok := length(b)
	if !ok || n > len(b)-header {
		return nil, false
	}
	entries = b[header : header+n]
	return entries, crc32.Checksum(entries, checksum) == binary.LittleEndian.Uint32(b[4:])
}

// length returns the length of the entries, if the frame's first bytes are intact.
func length(b []byte) (n int, ok bool) {
	if len(b) < header || crc32.Checksum(b[:8], checksum) != binary.LittleEndian.Uint32(b[8:]) {
		return 0, false
	}
	return int(binary.LittleEndian.Uint32(b)), true
}

// torn reports whether a frame that is not whole can be the last write of a crash. Nothing was written after it, because
// each write waits until the one before is on disk; and what did not reach the disk is missing or zero. Anything else is
// damage, and the state before it would be an older one.
func torn(b []byte) bool {
	if n, ok := length(b); ok {
		return header+n >= len(b)
	}
	return len(b) < header || len(bytes.Trim(b[header:], "\x00")) == 0
}

func decodeEntries(b []byte, apply func(key string, value []byte)) error {
	field := func(less uint64) (value []byte, ok bool) {
		n, width := binary.Uvarint(b)
		if width <= 0 {
			return nil, false
		}
		b = b[width:]
		if n < less {
			return nil, true
		}
		n -= less
		if n > uint64(len(b)) {
			return nil, false
		}
		value, b = b[:n:n], b[n:]
		return value, true
	}
	for len(b) > 0 {
		key, ok := field(0)
		value, there := field(1)
		if !ok || !there {
			return errMagic // the checksum is right, so a program wrote it that does not know this format
		}
		apply(string(key), value)
	}
	return nil
}
