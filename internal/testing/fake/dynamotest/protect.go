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

// updateContinuousBackups turns point-in-time recovery on or off. It is a setting alone: there is no backup here.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateContinuousBackups.html
func (s *Server) updateContinuousBackups(in struct {
	TableName                        string
	PointInTimeRecoverySpecification struct{ PointInTimeRecoveryEnabled bool }
}) any {
	t := s.table(in.TableName)
	t.recovery = in.PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled
	t.saveTable()
	return s.describeContinuousBackups(tableName{in.TableName})
}

// describeContinuousBackups: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeContinuousBackups.html
func (s *Server) describeContinuousBackups(in tableName) any {
	t := s.tables[in.TableName]
	if t == nil {
		fail("TableNotFoundException", "Table not found: %s", in.TableName)
	}
	status := "DISABLED"
	if t.recovery {
		status = "ENABLED"
	}
	return map[string]any{"ContinuousBackupsDescription": map[string]any{
		"ContinuousBackupsStatus":        "ENABLED", // on every table
		"PointInTimeRecoveryDescription": map[string]any{"PointInTimeRecoveryStatus": status},
	}}
}
