package dynamotest

// updateTable changes the protection from deletion, and nothing else.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTable.html
func (s *Server) updateTable(in struct {
	TableName                 string
	DeletionProtectionEnabled *bool
}) any {
	t := s.table(in.TableName)
	if in.DeletionProtectionEnabled == nil {
		refuse("At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates or " +
			"SSESpecification or ReplicaUpdates is required")
	}
	t.description.DeletionProtectionEnabled = *in.DeletionProtectionEnabled
	t.saveTable()
	return map[string]any{"TableDescription": t.description}
}

// updateContinuousBackups turns point-in-time recovery on or off.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateContinuousBackups.html
func (s *Server) updateContinuousBackups(in struct {
	TableName                        string
	PointInTimeRecoverySpecification struct{ PointInTimeRecoveryEnabled bool }
}) any {
	t := s.table(in.TableName)
	switch on := in.PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled; {
	case !on:
		t.recovery = nil
	case t.recovery == nil:
		t.recovery = &history{since: s.Now()}
	}
	t.saveTable()
	return s.describeContinuousBackups(tableName{in.TableName})
}

// describeContinuousBackups: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeContinuousBackups.html
func (s *Server) describeContinuousBackups(in tableName) any {
	t := s.tables[in.TableName]
	if t == nil {
		fail("TableNotFoundException", "Table not found: %s", in.TableName)
	}
	recovery := map[string]any{"PointInTimeRecoveryStatus": "DISABLED"}
	if t.recovery != nil {
		earliest, latest := t.recovery.window(s.Now())
		recovery = map[string]any{
			"PointInTimeRecoveryStatus": "ENABLED", "EarliestRestorableDateTime": epoch{earliest}, "LatestRestorableDateTime": epoch{latest},
		}
	}
	return map[string]any{"ContinuousBackupsDescription": map[string]any{
		"ContinuousBackupsStatus":        "ENABLED", // on every table
		"PointInTimeRecoveryDescription": recovery,
	}}
}
