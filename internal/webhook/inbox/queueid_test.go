package inbox

import (
	"strings"
	"testing"
)

// allowed matches what SQS accepts as MessageGroupId and MessageDeduplicationId: 1 to
// 128 of these characters.
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"

func fits(id string) bool {
	return len(id) >= 1 && len(id) <= 128 && strings.Trim(id, allowed) == "" && !strings.ContainsFunc(id, func(r rune) bool {
		return !strings.ContainsRune(allowed, r)
	})
}

func TestQueueID(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 120)
	seen := map[string]string{}
	for _, s := range []string{
		"5678#RFIs#42", "5678#RFIs#43", "5679#RFIs#42", "5678#RFIs#4", "5678#RFI#s42",
		"5678#Direct Cost Line Items#42", "5678#Direct%20Cost%20Line%20Items#42", "5678#Direct+Cost+Line+Items#42",
		"5678#DirectCostLineItems#42", "5678#Direct  Cost Line Items#42",
		"1#\u00c4nderungen#2", "1#A\u0308nderungen#2", "1#\u6f22\u5b57#2", "1#\xff#2", "1#\ufffd#2", "1#\x00#2", "1#\n#2", "1#/#2", "1#%2F#2", "1#?#2",
		long + "5678#1", long + "5678#2", long + "56789", long + "5678 9", // 126 to 128 characters when escaped, and more
		strings.Repeat(" ", 42), strings.Repeat(" ", 43), strings.Repeat("\u6f22", 1000), strings.Repeat("\u6f22", 1001),
		strings.Repeat("x", 128), strings.Repeat("x", 129), strings.Repeat("x", 130),
	} {
		id := queueID(s)
		if !fits(id) {
			t.Errorf("queueID(%.60q) = %q, which SQS refuses", s, id)
		}
		if other, ok := seen[id]; ok {
			t.Errorf("queueID is %q for both %.60q and %.60q", id, s, other)
		}
		seen[id] = s
		if queueID(s) != id {
			t.Errorf("queueID(%.60q) is not the same twice", s)
		}
	}
}

func FuzzQueueID(f *testing.F) {
	f.Add("5678#Direct Cost Line Items#42", "5678#Direct%20Cost%20Line%20Items#42")
	f.Add(strings.Repeat(" ", 43), strings.Repeat("x", 129))
	f.Fuzz(func(t *testing.T, a, b string) {
		if id := queueID(a); a != "" && !fits(id) {
			t.Errorf("queueID(%q) = %q, which SQS refuses", a, id)
		}
		if a != b && queueID(a) == queueID(b) {
			t.Errorf("queueID is %q for both %q and %q", queueID(a), a, b)
		}
	})
}
