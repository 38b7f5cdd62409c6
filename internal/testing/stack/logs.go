package stack

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"procore-connect/internal/testing/fake/awstest"
)

const (
	operatorLog  = "operator"  // the log group in which the operator's command notes what it changes
	accessLog    = "http-api"  // that of the API, to which the stack's front does not write
	functionsLog = "functions" // that of all functions
)

// LogGroup returns the log group of the operator's command or of the API, or else a function's streams in the group of all
// functions, as [awstest.Logs] names them.
func LogGroup(of string) string {
	if of == operatorLog || of == accessLog {
		return StackName + "/" + of
	}
	return StackName + "/" + functionsLog + ":" + of
}

// logGroups returns the value of the output of this name.
func logGroups(consumer string) string {
	var all []string
	for _, name := range []string{
		oauthCallback, companySelect, webhookReceiver, dispatcher, announcer, refresher, reconciler, accessToken, consumer, operatorLog, accessLog,
	} {
		all = append(all, name+"="+LogGroup(name))
	}
	return strings.Join(all, ",")
}

// NewLogs returns a CloudWatch Logs with the groups of a stack whose consumer is [DefaultConsumer]. now is its clock; nil:
// time.Now.
func NewLogs(now func() time.Time) *awstest.Logs { return newLogs(now, path.Base(DefaultConsumer)) }

func newLogs(now func() time.Time, consumer string) *awstest.Logs {
	var names []string
	for one := range strings.SplitSeq(logGroups(consumer), ",") {
		_, group, _ := strings.Cut(one, "=")
		group, _, _ = strings.Cut(group, ":")
		names = append(names, group)
	}
	return awstest.NewLogs(now, names...)
}

const (
	logFileName = "logs"
	oldLogName  = "logs.old" // the file before the present one
	maxLogFile  = 8 << 20    // bytes; then the file becomes the old one
	maxLogLine  = 1 << 20    // a longer line is not read again
	logFileMode = 0o600
)

// logFile keeps the log lines for the next run, in two files of bounded size. It is not part of the journal: lines are many,
// and nothing rests on them. They are written at once and not synced, so that a machine that crashes loses the last ones.
// A nil logFile keeps nothing.
type logFile struct {
	dir  string
	mu   sync.Mutex
	file *os.File
	size int64
}

// storedLog is a line of the file.
type storedLog struct {
	Group string    `json:"group"`
	At    time.Time `json:"at"`
	Text  string    `json:"text"`
}

// openLogs opens the files in a directory, which exists, and passes their lines to put. Fresh forgets them instead.
func openLogs(dir string, fresh bool, put func(group string, at time.Time, text string)) (*logFile, error) {
	for _, name := range []string{oldLogName, logFileName} {
		path := filepath.Join(dir, name)
		var err error
		if fresh {
			err = os.Remove(path)
		} else {
			err = readLogs(path, put)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("the logs of the last run: %w", err)
		}
	}
	l := &logFile{dir: dir}
	return l, l.open()
}

// readLogs passes the lines of a file to put. A line that is no JSON was cut by a crash.
func readLogs(path string, put func(group string, at time.Time, text string)) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, maxLogLine)
	for lines.Scan() {
		var one storedLog
		if json.Unmarshal(lines.Bytes(), &one) == nil {
			put(one.Group, one.At, one.Text)
		}
	}
	if err := lines.Err(); !errors.Is(err, bufio.ErrTooLong) {
		return err
	}
	return nil
}

func (l *logFile) open() (err error) {
	l.file, err = os.OpenFile(filepath.Join(l.dir, logFileName), os.O_WRONLY|os.O_CREATE|os.O_APPEND, logFileMode)
	if err != nil {
		return err
	}
	info, err := l.file.Stat()
	if err == nil {
		l.size = info.Size()
	}
	return err
}

// add writes a line. What cannot be written is lost, because a full disk must not stop the functions.
func (l *logFile) add(group string, at time.Time, text string) {
	if l == nil {
		return
	}
	line, _ := json.Marshal(storedLog{group, at, text}) // texts and times always marshal
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.size > maxLogFile {
		l.file.Close()
		_ = os.Rename(filepath.Join(l.dir, logFileName), filepath.Join(l.dir, oldLogName))
		l.size = 0
		_ = l.open()
	}
	n, _ := l.file.Write(append(line, '\n'))
	l.size += int64(n)
}

func (l *logFile) close() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.file.Close()
}
