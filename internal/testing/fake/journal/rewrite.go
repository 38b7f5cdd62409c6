package journal

// frameBytes is about how large the frames of a rewritten file are.
const frameBytes = 1 << 20

// rewrite puts a new file in the place of the present one. Until the rename, which is durable when the directory was
// synced, the present one remains as it is.
func (j *Journal) rewrite(live map[string][]byte) (err error) {
	file, err := j.dir.Create(newName)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = file.Close() // what failed first counts
		}
	}()
	identity, err := j.dir.Identity(newName)
	if err != nil {
		return err
	}
	size, err := writeAll(file, identity, live)
	if err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	if err := j.dir.Rename(newName, fileName); err != nil {
		return err
	}
	if err := j.dir.Sync(); err != nil {
		return err
	}
	if j.file != nil {
		_ = j.file.Close() // it has been replaced
	}
	j.file, j.size = file, size
	return nil
}

// writeAll writes a whole file, which begins with its identity.
func writeAll(file File, identity string, live map[string][]byte) (size int, err error) {
	write := func(b []byte) {
		if err == nil {
			var n int
			n, err = file.Write(b)
			size += n
		}
	}
	write([]byte(magic))
	entries := appendEntry(nil, identityKey, []byte(identity))
	for key, value := range live {
		if entries = appendEntry(entries, key, value); len(entries) >= frameBytes {
			write(frame(entries))
			entries = entries[:0]
		}
	}
	write(frame(entries))
	return size, err
}
