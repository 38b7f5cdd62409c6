package inbox

import (
	"encoding/base64"
	"encoding/json"
	"errors"

	"procore-connect/internal/platform/dynamo"
)

const maxPosition = 4 << 10

// position is how far a replay has come: its last delivery.
type position struct {
	Run      string `json:"run"` // part of the deduplication ids
	Company  int64  `json:"company"`
	Resource string `json:"resource,omitempty"`
	EventID  string `json:"event_id,omitempty"`
	AtMS     int64  `json:"at_ms,omitempty"`
}

// String returns the position as callers store it.
func (p position) String() string {
	b, err := json.Marshal(p)
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// PositionCompany returns the company in whose events a position is.
func PositionCompany(s string) (int64, error) {
	p, err := decodePosition(s)
	return p.Company, err
}

func decodePosition(s string) (p position, err error) {
	if len(s) > maxPosition {
		return p, errors.New("inbox: replay: the position is too long")
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || json.Unmarshal(b, &p) != nil || p.Run == "" {
		return position{}, errors.New("inbox: replay: not a position")
	}
	return p, nil
}

func parsePosition(s string, companyID int64) (position, error) {
	p, err := decodePosition(s)
	if err == nil && p.Company != companyID {
		err = errors.New("inbox: replay: the position is another company's")
	}
	if err != nil {
		return position{}, err
	}
	return p, nil
}

func (p *position) after(k listed) { p.Resource, p.EventID, p.AtMS = k.resource, k.id, k.receivedMS }

// key returns where to continue in the index, nil at the beginning.
func (p *position) key() dynamo.Item {
	if p.Resource == "" {
		return nil
	}
	return dynamo.Item{
		"company_id": dynamo.ID(p.Company), "received_at_ms": dynamo.Number(p.AtMS),
		"resource": dynamo.Text(p.Resource), "event_id": dynamo.Text(p.EventID),
	}
}
