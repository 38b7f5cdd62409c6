package pages

import "testing"

// A name is found however it is written: composed or decomposed, with or without marks, by a keyboard that lacks a letter.
func TestFold(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		filters []string
	}{
		{"Zo\u00eb Bau", []string{"Zoe\u0308", "zoe", "zo\u00eb", "ZOË BAU", "ZOE BAU"}},
		{"Zoe\u0308 Bau", []string{"zo\u00eb", "zoe bau"}},
		{"Müller", []string{"muller", "MÜLLER", "mu\u0308ller", "müll"}},
		{"Łódź Budowa", []string{"lodz", "łódź", "LODZ BUDOWA", "ŁO\u0301DZ\u0301"}},
		{"Société Générale", []string{"generale", "societe generale", "GÉNÉRALE"}},
		{"Straße & Søn Ærø", []string{"strasse", "STRASSE", "STRAẞE", "son", "aero", "ærø"}},
		{"İstanbul Yapı", []string{"istanbul", "ISTANBUL", "yapi", "YAPI"}},
		{"Þórshöfn, Đà Nẵng", []string{"thorshofn", "da nang", "đà nẵng"}},
		{"O’Brien's Builders", []string{"o'brien", "O’BRIEN", "obrien", "briens"}},
		{"Smith–Jones", []string{"smith-jones", "smith—jones"}},
		{"ﬁne ＡＢＣ №5", []string{"fine abc", "no5"}},
		{"株式会社カナダ", []string{"ｶﾅﾀﾞ", "カナタ", "会社"}},
		{"Ελληνικός", []string{"ελληνικοσ", "ΕΛΛΗΝΙΚΌΣ"}},
		{"Стройтрой Ё", []string{"строи", "СТРОЙ", "е"}},
		{"zero\u200bwidth soft\u00adhyphen", []string{"zerowidth", "softhyphen"}},
		{"한국건설", []string{"한국", "\u1112\u1161\u11ab\u1100\u116e\u11a8"}},
	} {
		available, _ := split([]Company{{ID: 1, Name: tt.name}, {ID: 2, Name: "Another"}})
		for _, filter := range tt.filters {
			if found := matching(available, clean(filter, maxFilter)); len(found) != 1 || found[0].ID != 1 {
				t.Errorf("%q: %q finds %v", tt.name, filter, found)
			}
		}
		for _, filter := range []string{"zzz", "3"} {
			if found := matching(available, filter); len(found) != 0 {
				t.Errorf("%q: %q finds %v", tt.name, filter, found)
			}
		}
	}
}

// Names are sorted as people read them: marks and case come last.
func TestSortedByName(t *testing.T) {
	t.Parallel()
	var got string
	available, _ := split([]Company{{ID: 6, Name: "zeta"}, {ID: 3, Name: "Émile"}, {ID: 5, Name: "Emma"}, {ID: 4, Name: "emile"}, {ID: 2, Name: "Émile"}, {ID: 1, Name: "Zach"}})
	for _, l := range available {
		got += l.Name + " "
	}
	if want := "emile Émile Émile Emma Zach zeta "; got != want || available[1].ID != 2 {
		t.Errorf("got %q, want %q, of equal names the smaller id first", got, want)
	}
}

// Folding is idempotent, and costs a page of 2,000 companies a few milliseconds.
func FuzzFold(f *testing.F) {
	for _, s := range []string{"", "Zoë", "İ", "\xff", "ŉ ẞ ﷺ", "e\u0301\u0301\u0301"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if once := fold(clean(s, maxFilter)); fold(once) != once {
			t.Errorf("%q becomes %q, then %q", s, once, fold(once))
		}
	})
}

func BenchmarkFold(b *testing.B) {
	for range b.N {
		for range 2000 {
			fold("Société Générale de Construction")
		}
	}
}
