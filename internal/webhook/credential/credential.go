// Package credential makes and checks the value that Procore sends back in the
// Authorization header of every webhook delivery.
//
// Procore signs nothing, so the header is the only proof of a delivery's origin.
// The value is derived, not stored:
//
//	Bearer <key id>.<company>.<epoch>.<mac>
//
// mac is the HMAC-SHA256 of the rest under a key of the webhook secret. So the
// receiver needs one secret and no read, each company has its own value, and a higher
// minimum epoch in the secret retires one company's value.
//
// https://developers.procore.com/documentation/webhooks-api
package credential

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"procore-connect/pkg/keys"
	"procore-connect/pkg/procore"
)

const (
	scheme    = "Bearer "
	maxLength = 256
	purpose   = "webhook"
)

var (
	// ErrRefused: the value is missing, malformed, forged or retired. The caller
	// does not tell the sender which.
	ErrRefused = errors.New("credential: refused")
	// ErrMalformed is an ErrRefused: the value is missing, duplicated, or not of our form.
	ErrMalformed = fmt.Errorf("%w: malformed", ErrRefused)
)

// Ring makes and checks credentials.
type Ring struct {
	ring   *keys.Ring
	epochs map[int64]int64 // the lowest epoch that is still valid, by company
}

// Credential is the content of a valid value.
type Credential struct {
	CompanyID int64
	KeyID     string
	Epoch     int64
	Current   bool // made with the current key
}

// Parse reads the webhook secret: a key ring as keys.Parse reads it, with
// an optional "minimum_epochs": {"5678": 2}.
func Parse(secret string) (*Ring, error) {
	ring, err := keys.Parse(secret)
	if err != nil {
		return nil, err
	}
	r := &Ring{ring: ring, epochs: map[int64]int64{}}
	if raw := ring.Extra("minimum_epochs"); raw != nil {
		err := json.Unmarshal(raw, &r.epochs)
		for company, epoch := range r.epochs {
			if company <= 0 || epoch < 0 { // the hook's own credential would be refused
				err = errors.New("not positive")
			}
		}
		if err != nil {
			return nil, errors.New(`"minimum_epochs" in the webhook secret is not an object of positive numbers by company id`)
		}
	}
	return r, nil
}

// Current names the credential that a company's hook should have: the current key's id and
// the company's epoch. It proves nothing, so it may be stored and logged.
func (r *Ring) Current(companyID int64) string {
	return fmt.Sprintf("%s.%d", r.ring.Current(), r.epochs[companyID])
}

// Header returns the Authorization value for a company's hook.
func (r *Ring) Header(companyID int64) (procore.Secret, error) {
	claim := fmt.Sprintf("%s.%d.%d", r.ring.Current(), companyID, r.epochs[companyID])
	mac, err := r.mac(r.ring.Current(), claim)
	if err != nil {
		return procore.Secret{}, err
	}
	return procore.NewSecret(scheme + claim + "." + mac), nil
}

// Check reads an Authorization value. It refuses a missing or a duplicated value (two
// values joined by a comma) like a forged one. For a well-formed value whose key is
// not in the ring the error is [keys.ErrUnknown].
func (r *Ring) Check(header string) (Credential, error) {
	c, mac, ok := cut(header)
	if !ok {
		return Credential{}, ErrMalformed
	}
	claim := strings.TrimSuffix(header[len(scheme):], "."+mac)
	want, err := r.mac(c.KeyID, claim)
	if err != nil {
		return Credential{}, err
	}
	if !hmac.Equal([]byte(want), []byte(mac)) || c.Epoch < r.epochs[c.CompanyID] {
		return Credential{}, ErrRefused
	}
	c.Current = c.KeyID == r.ring.Current()
	return c, nil
}

// Claimed returns the company that a value names, without any proof, for the log of
// a refused delivery. It is 0 for a malformed value.
func Claimed(header string) int64 {
	c, _, _ := cut(header)
	return c.CompanyID
}

// cut splits a value into its parts.
func cut(header string) (c Credential, mac string, ok bool) {
	value, ok := strings.CutPrefix(header, scheme)
	parts := strings.Split(value, ".")
	if !ok || len(header) > maxLength || len(parts) != 4 {
		return Credential{}, "", false
	}
	company, err1 := strconv.ParseInt(parts[1], 10, 64)
	epoch, err2 := strconv.ParseInt(parts[2], 10, 64)
	if err1 != nil || err2 != nil || company <= 0 || epoch < 0 {
		return Credential{}, "", false
	}
	return Credential{CompanyID: company, KeyID: parts[0], Epoch: epoch}, parts[3], true
}

func (r *Ring) mac(keyID, claim string) (string, error) {
	key, err := r.ring.Derive(keyID, purpose)
	if err != nil {
		return "", err
	}
	h := hmac.New(sha256.New, key)
	h.Write([]byte(claim))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)), nil
}
