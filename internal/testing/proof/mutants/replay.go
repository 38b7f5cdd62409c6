package main

// replaying breaks what the operator's command does with events that did not reach the consumer.
func replaying() []mutant {
	const letters, pkg = "internal/operator/dead/dead.go", "./cmd/procore-connect"
	return []mutant{
		{"", "a replay goes on behind an event that was not sent", "internal/webhook/inbox/replay.go",
			`			done, err := r.one(ctx, s, k, at.Run)`, `			at.after(k)
			report.Position = at.String()
			done, err := r.one(ctx, s, k, at.Run)`, only("TestReplayInterrupted", pkg)},
		{"", "a replay that goes on begins at its first company", "internal/operator/replay.go",
			`return s.Companies[i:], nil`, `return s.Companies[i-i:], nil`, only("TestReplayInParts", pkg)},
		{"", "an event that failed after it was handled is left out of a replay", "internal/operator/handled.go",
			`			delete(all, key)`, ``, only("TestReplay", pkg)},
		{"", "a look into a dead-letter queue hides its messages", letters,
			`	err = errors.Join(err, q.release(ctx, letters))`, ``, only("TestPeek", "./internal/operator/dead")},
		{"", "another dead letter is deleted", letters,
			`is := func(l Letter) bool { return l.ID == id }`, `is := func(l Letter) bool { return l.ID != "" }`, only("TestDelete", "./internal/operator/dead")},
	}
}
