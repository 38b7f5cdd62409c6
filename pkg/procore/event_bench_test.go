package procore

import "testing"

func BenchmarkDecodeEvent(b *testing.B) {
	for _, name := range []string{"webhook-v2.json", "webhook-v3.json", "webhook-v4.json"} {
		body := fixture(b, name)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := DecodeEvent(body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
