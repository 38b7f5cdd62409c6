package main

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"procore-connect/internal/testing/fake/dynamotest"
	"procore-connect/internal/testing/kit/tables"
	"procore-connect/pkg/procore"
	"procore-connect/pkg/procoretest"
)

// world is a table beside a Procore.
type world struct {
	t    *testing.T
	fake *procoretest.Server
	rfis *copies
}

func newWorld(t *testing.T) *world {
	t.Helper()
	db := dynamotest.Client(dynamotest.New().Start(t))
	table := "rfis"
	key := func(name string, kind types.KeyType) types.KeySchemaElement {
		return types.KeySchemaElement{AttributeName: &name, KeyType: kind}
	}
	text := func(name string) types.AttributeDefinition {
		return types.AttributeDefinition{AttributeName: &name, AttributeType: types.ScalarAttributeTypeS}
	}
	err := tables.CreateOne(t.Context(), db, &dynamodb.CreateTableInput{
		TableName: &table, BillingMode: types.BillingModePayPerRequest,
		KeySchema:            []types.KeySchemaElement{key("company", types.KeyTypeHash), key("rfi", types.KeyTypeRange)},
		AttributeDefinitions: []types.AttributeDefinition{text("company"), text("rfi")},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &world{t, procoretest.Start(t), &copies{db: db, table: table}}
}

// change changes an RFI at Procore.
func (w *world) change(kind string, id procore.ID, title string) procore.Event {
	w.t.Helper()
	w.fake.Advance(time.Minute)
	return w.fake.Change(w.t, procoretest.Event{
		CompanyID: procoretest.MyConstruction, ProjectID: 2001, ResourceName: "RFIs", ResourceID: id, EventType: kind, Title: title,
	})
}

func (w *world) handle(e procore.Event) {
	w.t.Helper()
	if err := w.rfis.handle(w.t.Context(), e, w.fake.Client(w.t, e.CompanyID)); err != nil {
		w.t.Error(err)
	}
}

// row returns the copy of an event's RFI, or nil.
func (w *world) row(e procore.Event) map[string]string {
	w.t.Helper()
	out, err := w.rfis.db.GetItem(w.t.Context(), &dynamodb.GetItemInput{TableName: &w.rfis.table, Key: key(e), ConsistentRead: aws.Bool(true)})
	if err != nil {
		w.t.Fatal(err)
	}
	var row map[string]string
	for name, v := range out.Item {
		if row == nil {
			row = make(map[string]string)
		}
		row[name] = v.(*types.AttributeValueMemberS).Value
	}
	return row
}

// The copy is as the RFI, however often and late its events come, and also by reconciliation.
func TestCopy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := w.change("create", "", "Which way?")
	w.handle(made)
	first := w.row(made)
	want := map[string]string{"company": "5678", "rfi": string(made.ResourceID), "project": "2001", "subject": "Which way?",
		"status": first["status"], "updated_at": first["updated_at"]}
	if diff := cmp.Diff(first, want); diff != "" {
		t.Errorf("row (-got +want):\n%s", diff)
	}
	changed := w.change("update", made.ResourceID, "This way")
	reconciled := changed
	reconciled.ID, reconciled.Reconciled = "another", true
	for _, e := range []procore.Event{reconciled, changed, made, made} {
		w.handle(e)
		if got := w.row(made); got["subject"] != "This way" || got["updated_at"] <= first["updated_at"] {
			t.Errorf("after event %s: %v, want the new subject and a later time than %s", e.ID, got, first["updated_at"])
		}
	}
	gone := w.change("delete", made.ResourceID, "")
	for _, e := range []procore.Event{gone, gone, changed} {
		w.handle(e)
		if got := w.row(made); got != nil {
			t.Errorf("after event %s of a deleted RFI: %v, want no row", e.ID, got)
		}
	}
}

// A state that was read before the one in the table does not replace it.
func TestNewerCopyStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.change("create", "", "read first")
	read := func(subject string, at time.Time) {
		t.Helper()
		if err := w.rfis.put(t.Context(), e, procore.RFI{Subject: subject, UpdatedAt: at}); err != nil {
			t.Fatal(err)
		}
	}
	at := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	read("of noon", at)
	read("before noon", at.Add(-time.Microsecond))
	if got := w.row(e)["subject"]; got != "of noon" {
		t.Errorf("the copy is %q, want that of noon", got)
	}
	read("in the same second", at) // lists and items may show whole seconds alone
	if got := w.row(e)["subject"]; got != "in the same second" {
		t.Errorf("the copy is %q, want the one that was read last", got)
	}
}

// Events of another resource change nothing and make no call, and an RFI that may not be read keeps its copy.
func TestOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.change("create", "", "kept")
	w.handle(e)
	other := e
	other.Resource = "Submittals"
	w.handle(other)
	if got := len(w.fake.State().Calls); got != 1 {
		t.Errorf("%d calls, want the one for the RFI", got)
	}
	if err := w.fake.UpdateCompany(e.CompanyID, procoretest.CompanyPatch{DeniedTools: &[]string{"rfis"}}); err != nil {
		t.Fatal(err)
	}
	if err := w.rfis.handle(t.Context(), e, w.fake.Client(t, e.CompanyID)); err == nil || w.row(e)["subject"] != "kept" {
		t.Errorf("without permission: %v, and the copy is %v", err, w.row(e))
	}
}
