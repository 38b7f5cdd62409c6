package repo

// limits are how many findings each tree may have. They only go down; "" are the files of the root.
var limits = map[string]map[string]int{
	"cmd":                    {banned: 6, verbs: 2},
	"docs":                   {banned: 72, columns: 229, long: 50},
	"examples":               {banned: 17, verbs: 6},
	"functions":              {banned: 37, verbs: 11},
	"internal/platform":      {banned: 12, verbs: 17, boolean: 3},
	"internal/testing/fake":  {banned: 1},
	"internal/testing/proof": {banned: 23, verbs: 36, replaced: 3},
	"internal/upkeep":        {banned: 3, verbs: 5},
	"internal/webhook":       {banned: 64, verbs: 15},
	"internal/wire":          {verbs: 2},
	"pkg/procore":            {banned: 15, verbs: 26, boolean: 1, replaced: 17},
	"pkg/tokens":             {banned: 51, boolean: 2, replaced: 8},
	"spec":                   {banned: 13, columns: 22, long: 1},
}
