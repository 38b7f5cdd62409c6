package stack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"go.yaml.in/yaml/v3"

	"procore-connect/internal/testing/kit/tables"
	"procore-connect/internal/testing/stack/rebuild"
)

// DefaultConsumer is the package that receives the events.
const DefaultConsumer = "examples/event-consumer"

// consumer returns the name of the function that receives the events.
func (o Options) consumer() string { return path.Base(cmp.Or(o.Consumer, DefaultConsumer)) }

// packages are the commands to build, each to a binary with its last name. The consumer is the first that is compiled
// again, because it is the one that is edited.
func (o Options) packages(root string) []string {
	if o.python(root) {
		return packages[:]
	}
	return append([]string{"./" + cmp.Or(o.Consumer, DefaultConsumer)}, packages[:]...)
}

// needs is the part of a consumer's own template.yaml that make run follows.
type needs struct {
	Resources map[string]struct {
		Type       string `yaml:"Type"`
		Properties struct {
			KeySchema []struct {
				AttributeName string        `yaml:"AttributeName"`
				KeyType       types.KeyType `yaml:"KeyType"`
			} `yaml:"KeySchema"`
			AttributeDefinitions []struct {
				AttributeName string                    `yaml:"AttributeName"`
				AttributeType types.ScalarAttributeType `yaml:"AttributeType"`
			} `yaml:"AttributeDefinitions"`
			GlobalSecondaryIndexes []any `yaml:"GlobalSecondaryIndexes"`
			Environment            struct {
				Variables map[string]yaml.Node `yaml:"Variables"`
			} `yaml:"Environment"`
		} `yaml:"Properties"`
	} `yaml:"Resources"`
}

// consumerNeeds creates the tables of the template.yaml in the consumer's directory, if it has one, and returns the
// variables that it sets: values, and names of these tables.
func (s *Stack) consumerNeeds(ctx context.Context) (map[string]string, error) {
	root, err := rebuild.Root(ctx)
	if err != nil {
		return nil, err
	}
	file := path.Join(cmp.Or(s.options.Consumer, DefaultConsumer), "template.yaml")
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(file)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var n needs
	if err == nil {
		err = yaml.Unmarshal(text, &n)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	env := make(map[string]string)
	for name, r := range n.Resources {
		p := r.Properties
		for variable, value := range p.Environment.Variables {
			env[variable] = value.Value // of !Ref it is the table's name
		}
		if r.Type != "AWS::DynamoDB::Table" {
			continue
		}
		if p.GlobalSecondaryIndexes != nil {
			return nil, fmt.Errorf("%s: table %s has an index, which only a deployment creates", file, name)
		}
		in := &dynamodb.CreateTableInput{TableName: &name, BillingMode: types.BillingModePayPerRequest}
		for _, k := range p.KeySchema {
			in.KeySchema = append(in.KeySchema, types.KeySchemaElement{AttributeName: &k.AttributeName, KeyType: k.KeyType})
		}
		for _, a := range p.AttributeDefinitions {
			in.AttributeDefinitions = append(in.AttributeDefinitions, types.AttributeDefinition{AttributeName: &a.AttributeName, AttributeType: a.AttributeType})
		}
		if err := tables.CreateOne(ctx, s.db, in); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	return env, nil
}

// with returns the variables of both.
func with(env, more map[string]string) map[string]string {
	all := maps.Clone(env)
	maps.Copy(all, more)
	return all
}
