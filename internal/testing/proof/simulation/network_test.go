package simulation

import "testing"

// Reader and writer of an http.Transport learn the same of a connection that the server closed. Which of them
// it reports is no decision of the schedule.
func TestClosedByServer(t *testing.T) {
	t.Parallel()
	c := &conn{soft: true, refuses: true}
	c.expired, c.served, c.closed = make(chan struct{}), make(chan struct{}), make(chan struct{})
	_, wrote := c.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
	c.serve(nil)
	if _, read := c.Read(nil); read == nil || wrote == nil || read.Error() != wrote.Error() {
		t.Errorf("the writer learns %v, and the reader %v", wrote, read)
	}
}
