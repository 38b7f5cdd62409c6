package procoretest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"
)

type pairRecord struct {
	Number           int64
	Access, Refresh  string
	UserID           int64
	RedirectURI      string
	Created, Expires time.Time
	AccessRevoked    bool
	RefreshState     string
	Next             int64 // its number, or 0
}

func (s *Server) keepPair(p *pair) {
	s.mu.mark(numbered("pair", p.number), func() any {
		k := pairRecord{Number: p.number, Access: p.access, Refresh: p.refresh, UserID: p.userID, RedirectURI: p.redirectURI,
			Created: p.created, Expires: p.expires, AccessRevoked: p.accessRevoked, RefreshState: p.refreshState}
		if p.next != nil {
			k.Next = p.next.number
		}
		return k
	})
}

func (l *loading) loadPairs(all []pairRecord) error {
	byNumber := map[int64]*pair{}
	for _, k := range all {
		p := &pair{number: k.Number, access: k.Access, refresh: k.Refresh, userID: k.UserID, redirectURI: k.RedirectURI,
			created: k.Created, expires: k.Expires, accessRevoked: k.AccessRevoked, refreshState: k.RefreshState}
		byNumber[k.Number] = p
		l.addPair(p)
	}
	for _, k := range all {
		next := byNumber[k.Next]
		if k.Next != 0 && next == nil {
			return fmt.Errorf("pair %d is missing", k.Next)
		}
		byNumber[k.Number].next = next
	}
	return nil
}

// presentation counts a refresh token. The token may be any bytes, since not all that are
// presented were issued.
type presentation struct {
	Token []byte
	Count int
}

func (s *Server) keepPresented(token string) {
	sum := sha256.Sum256([]byte(token)) // a key of bounded length
	s.mu.mark("presented/"+hex.EncodeToString(sum[:]), func() any { return presentation{[]byte(token), s.presented[token]} })
}

func (l *loading) loadPresented(all []presentation) error {
	for _, k := range all {
		l.presented[string(k.Token)] = k.Count
	}
	return nil
}

type codeRecord struct {
	Code, RedirectURI, Challenge string
	UserID                       int64
	Made                         time.Time
}

func codeKey(code string) string { return "code/" + code }

func (s *Server) keepCode(code string) {
	g := s.codes[code]
	s.mu.mark(codeKey(code), func() any { return codeRecord{code, g.redirectURI, g.challenge, g.userID, g.made} })
}

// deleteCode removes a code, if it exists.
func (s *Server) deleteCode(code string) {
	if s.codes[code] != nil {
		delete(s.codes, code)
		s.mu.forget(codeKey(code))
	}
}

func (l *loading) loadCodes(all []codeRecord) error {
	for _, k := range all {
		l.codes[k.Code] = &grant{userID: k.UserID, redirectURI: k.RedirectURI, challenge: k.Challenge, made: k.Made}
	}
	return nil
}
