package main

// crash breaks what keeps the state of make run. The fakes' own tests catch these breakages too.
func crash() []mutant {
	const (
		journal = "internal/testing/fake/journal/"

		crashPackage = "-run ^TestCrash$ ./internal/testing/proof/crash"
	)
	return []mutant{
		{"R1", "the stand-in of DynamoDB answers before its state is on disk", "internal/testing/fake/dynamotest/server.go",
			`if err := s.sync(); err != nil {`, `if err := error(nil); err != nil {`, crashPackage},
		{"", "the fake Procore answers before its state is on disk", "pkg/procoretest/server.go",
			`if err := s.mu.sync(); err != nil {`, `if err := error(nil); err != nil {`, crashPackage},
		{"", "the stand-in of SQS answers before its state is on disk", "internal/testing/fake/awstest/protocol.go",
			`if failed := sync(); failed != nil {`, `if failed := error(nil); failed != nil {`, crashPackage},
		{"", "a journal writes without fsync", journal + "journal.go",
			`return j.file.Sync()`, `return nil`, crashPackage},
		{"", "a journal renames a file without fsync", journal + "rewrite.go",
			`if err := file.Sync(); err != nil {`, `if err := error(nil); err != nil {`, crashPackage},
		{"", "a journal does not wait for the rename", journal + "rewrite.go",
			`if err := j.dir.Sync(); err != nil {`, `if err := error(nil); err != nil {`, crashPackage},
		{"", "a journal takes a torn record", journal + "frame.go",
			`return entries, crc32.Checksum(entries, checksum) == binary.LittleEndian.Uint32(b[4:])`, `return entries, true`, crashPackage},
	}
}
