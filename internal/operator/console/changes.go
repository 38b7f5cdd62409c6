package console

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// planWithin is how long a request waits for the plan of a change. After that the page of the run shows how it goes on.
const planWithin = 2 * time.Second

// changesView is the list of what can be changed, and of what was.
type changesView struct {
	Verbs   []offered
	Omitted []typedOnly
	Runs    []state
}

// offered is a verb with what the command says of it.
type offered struct {
	verb
	Short string
}

// changes shows what can be changed: GET /changes.
func (c *Console) changes(*http.Request) (page, error) {
	v := changesView{Runs: c.jobs.list()}
	for _, one := range verbs() {
		short, _ := c.Help(one.Name)
		v.Verbs = append(v.Verbs, offered{one, short})
	}
	v.Omitted = omitted()
	return page{Template: "changes", Title: "Changes", Menu: "/changes", Live: 5, Main: v}, nil
}

// formView is the form of a change.
type formView struct {
	Verb        verb
	Short, Long string
	Values      url.Values
	Problem     error
}

// form shows the form of a change, filled in with the query: GET /changes/{verb}.
func (c *Console) form(r *http.Request) (page, error) {
	v, ok := find(r.PathValue("verb"))
	if !ok {
		return page{}, errNotFound
	}
	return c.formOf(v, r.URL.Query(), nil), nil
}

func (c *Console) formOf(v verb, values url.Values, problem error) page {
	short, long := c.Help(v.Name)
	p := page{Template: "form", Title: v.Name, Menu: "/changes", Main: formView{v, short, long, values, problem}}
	if problem != nil {
		p.Status = http.StatusUnprocessableEntity
	}
	return p
}

// start begins a change, which shows its plan and asks: POST /changes/{verb}.
func (c *Console) start(r *http.Request) (page, error) {
	v, ok := find(r.PathValue("verb"))
	if !ok {
		return page{}, errNotFound
	}
	args, err := v.args(r.PostForm)
	if err != nil {
		return c.formOf(v, r.PostForm, err), nil
	}
	if v.Logs {
		for _, group := range c.LogGroups {
			args = append(args, "--log-group="+group)
		}
	}
	one, err := c.jobs.start(v, args, c.now(), c.work)
	if err != nil {
		return c.formOf(v, r.PostForm, err), nil
	}
	wait, cancel := context.WithTimeout(r.Context(), planWithin)
	defer cancel()
	select {
	case <-one.waits:
	case <-wait.Done():
	}
	return page{To: fmt.Sprintf("/runs/%d", one.ID)}, nil
}

// work runs the command: what it would do, if it can tell, and then for good, which asks.
func (c *Console) work(ctx context.Context, j *job) {
	if j.Verb.Dry {
		c.Run(ctx, append(slices.Clip(j.Args), "--dry-run"), Streams{Out: sink{j, &j.dry}, Err: sink{j, &j.dry}})
	}
	code := c.Run(ctx, j.Args, Streams{Out: sink{j, &j.out}, Err: sink{j, &j.out}, Ask: j.ask(c.now)})
	c.list.changed() // before a page shows that it is done
	j.end(code, c.now())
}

// runView is a run.
type runView struct {
	state
	Note string
}

// run shows a run: GET /runs/{id}.
func (c *Console) run(r *http.Request) (page, error) {
	j, err := c.job(r)
	if err != nil {
		return page{}, err
	}
	return runPage(j.state(), ""), nil
}

func runPage(s state, note string) page {
	p := page{Template: "run", Title: s.Verb.Name, Menu: "/changes", Main: runView{s, note}}
	if s.Verb.Button != "" {
		p.Menu = "/system"
	}
	if s.Runs() {
		p.Live = 1
	}
	return p
}

func (c *Console) job(r *http.Request) (*job, error) {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil {
		return nil, errNotFound
	}
	j, ok := c.jobs.find(id)
	if !ok {
		return nil, errNotFound
	}
	return j, nil
}

// answer answers the question of a run, or stops it: POST /runs/{id}.
func (c *Console) answer(r *http.Request) (page, error) {
	j, err := c.job(r)
	if err != nil {
		return page{}, err
	}
	said := r.PostForm.Get("answer")
	if said == "stop" {
		j.stop()
		return page{To: r.URL.Path}, nil
	}
	number, _ := strconv.Atoi(r.PostForm.Get("question"))
	if !j.answer(number, said == "yes", c.now()) {
		p := runPage(j.state(), "That answer came too late: the question was answered before, or is older than 15 minutes. Begin the change again to see what it would do now.")
		p.Status = http.StatusConflict
		return p, nil
	}
	if said != "yes" {
		<-j.done
	}
	return page{To: r.URL.Path}, nil
}
