package pages

// aboutWords are the texts about who asks, and for what.
type aboutWords struct {
	Publisher, CanTitle, Privacy, Terms, Marketplace string
}

func (words) about(b Brand) aboutWords {
	t := aboutWords{
		CanTitle:    "What " + b.Name + " will be able to do",
		Privacy:     "Privacy policy",
		Terms:       "Terms of use",
		Marketplace: "Open " + b.Name + " on the Procore Marketplace",
	}
	if b.Publisher != "" {
		t.Publisher = b.Name + " is made by " + b.Publisher + "."
	}
	return t
}
