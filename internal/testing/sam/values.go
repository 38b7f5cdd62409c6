package sam

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"procore-connect/internal/testing/kit/browsertest"
	"procore-connect/internal/testing/kit/secrettest"
	"procore-connect/internal/testing/stack"
	"procore-connect/internal/webhook/credential"
	"procore-connect/pkg/link"
	"procore-connect/pkg/procoretest"
)

// The company of the sample events.
const (
	company     = procoretest.MyConstruction
	companyName = "My Construction Company"
	chooseIt    = "Connect this company"
)

// values are the values that a running stack accepts, in place of the made-up ones.
type values struct {
	public     *url.URL
	callback   visit // back from Procore with a code
	denied     visit // back from Procore without a code
	choice     visit // before the choice of the company
	form       url.Values
	back       visit // on the way to the host application
	redemption url.Values
	bearer     string // Authorization of the redemption
	credential string // Authorization of the company's deliveries
	rfi        procoretest.Resource
}

// visit is where a browser is, and its cookies.
type visit struct {
	query   url.Values
	cookies []string
}

// gather goes through the user's flow several times, each time as far as an event needs.
func gather(ctx context.Context, o Options) (*values, error) {
	public, err := url.Parse(o.AppURL)
	if err != nil {
		return nil, err
	}
	v := &values{public: public}
	if err := v.link(ctx, o); err != nil {
		return nil, err
	}
	callback, denied := browse(ctx, o, "Authorize", true), browse(ctx, o, "Deny", true)
	choice := browse(ctx, o, "Authorize", false)
	choice.Choose(companyName)
	form := choice.Form(chooseIt)
	for _, b := range []*browsertest.Browser{callback, denied, choice} {
		if err := b.Err(); err != nil {
			return nil, err
		}
	}
	v.callback, v.denied, v.choice, v.form = visitOf(callback), visitOf(denied), visitOf(choice), form
	if v.credential, err = readCredential(ctx, o.AWSURL); err != nil {
		return nil, err
	}
	v.rfi, err = readRFI(ctx, o.ProcoreURL)
	return v, err
}

// link connects the company by the link of a host application, up to the redemption.
func (v *values) link(ctx context.Context, o Options) error {
	ring, err := readSecret(ctx, o.AWSURL, "LINK_SECRET_ID", link.ParseKeys)
	if err != nil {
		return err
	}
	host := link.Host{PublicURL: o.AppURL, Keys: secrettest.Constant(ring)}
	address, verifier, err := host.Start(ctx, "tenant-42", "Acme Corp", "")
	if err != nil {
		return err
	}
	b := browsertest.New()
	const back = "/return"
	b.StopAt = func(u *url.URL) bool { return u.Path == back }
	b.Open(ctx, address)
	authorize(ctx, b, "Authorize")
	b.Choose(companyName)
	b.Click(ctx, chooseIt)
	if b.Err() == nil && b.URL.Path != back {
		return fmt.Errorf("%s was not connected (status %d): %.500s", companyName, b.Status, b.Text())
	}
	v.back = visitOf(b)
	b.StopAt = func(u *url.URL) bool { return u.Query().Has(link.ParameterName) }
	b.Open(ctx, b.URL.String())
	if err := b.Err(); err != nil {
		return err
	}
	v.redemption = url.Values{link.FieldCode: {b.URL.Query().Get(link.ParameterCode)}, link.FieldVerifier: {verifier.Reveal()}}
	token, err := ring.SignRedemption(time.Now().Add(4 * time.Minute)) // valid for five, in which the samples before it run
	v.bearer = "Bearer " + token
	return err
}

// browse logs in and makes the decision at Procore. With stop it does not follow the redirect back to the app.
func browse(ctx context.Context, o Options, decision string, stop bool) *browsertest.Browser {
	b := browsertest.New()
	b.StopAt = func(u *url.URL) bool { return stop && u.Path == "/oauth/callback" }
	b.Open(ctx, o.AppURL+"/")
	b.Click(ctx, "Connect to Procore")
	authorize(ctx, b, decision)
	return b
}

// authorize logs in at Procore, and makes the decision.
func authorize(ctx context.Context, b *browsertest.Browser, decision string) {
	b.Choose("Joe Builder")
	b.Click(ctx, decision)
}

func visitOf(b *browsertest.Browser) visit {
	v := visit{query: b.URL.Query()}
	for _, c := range b.Cookies() {
		v.cookies = append(v.cookies, c.Name+"="+c.Value)
	}
	return v
}

// readCredential derives the credential of the company's deliveries from the stack's webhook secret.
func readCredential(ctx context.Context, endpoint string) (string, error) {
	ring, err := readSecret(ctx, endpoint, "WEBHOOK_SECRET_ID", credential.Parse)
	if err != nil {
		return "", err
	}
	header, err := ring.Header(company)
	return header.Reveal(), err
}

// readSecret reads the secret of the stack that a variable of the functions names.
func readSecret[T any](ctx context.Context, endpoint, variable string, parse func(string) (T, error)) (T, error) {
	client := secretsmanager.New(secretsmanager.Options{
		BaseEndpoint: &endpoint, Region: "us-east-1",
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local"}, nil
		}),
	})
	id := stack.Environment("", "", "")[variable]
	out, err := client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &id})
	if err != nil {
		var none T
		return none, err
	}
	return parse(aws.ToString(out.SecretString))
}

// readRFI finds an RFI of the company in the fake Procore.
func readRFI(ctx context.Context, address string) (procoretest.Resource, error) {
	var state procoretest.State
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/_fake/state", nil)
	if err != nil {
		return procoretest.Resource{}, err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return procoretest.Resource{}, err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&state); err != nil {
		return procoretest.Resource{}, fmt.Errorf("the state of the fake Procore: %w", err)
	}
	i := slices.IndexFunc(state.Resources, func(r procoretest.Resource) bool { return r.CompanyID == company && r.Name == "RFIs" })
	if i < 0 {
		return procoretest.Resource{}, errors.New("the company has no RFI: if they were deleted, restart the stack")
	}
	return state.Resources[i], nil
}
