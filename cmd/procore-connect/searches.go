package main

import "github.com/spf13/cobra"

// searches adds the flag of a verb that searches the functions' logs.
func (s *session) searches(c *cobra.Command) *cobra.Command {
	c.Flags().StringSliceVar(&s.target.LogGroups, "log-group", nil, "search this log group too, such as that of a consumer in another stack (may be repeated)")
	return c
}
