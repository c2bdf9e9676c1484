package scan

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	kjson "sigs.k8s.io/json"
)

// document is what the tests pick out of JSON.
type document struct {
	Name  string
	On    bool
	Inner struct{ Name string }
	Items []item
}

type item struct{ Name, Rest string }

var documentFields = Fields[document]{
	"name":  Text(func(d *document) *string { return &d.Name }),
	"on":    Boolean(func(d *document) *bool { return &d.On }),
	"inner": Object(Fields[document]{"name": Text(func(d *document) *string { return &d.Inner.Name })}),
	"items": List(func(d *document) *[]item { return &d.Items }, Fields[item]{
		"name": Text(func(i *item) *string { return &i.Name }),
		"rest": Raw(func(i *item) *string { return &i.Rest }),
	}),
}

func TestRead(t *testing.T) {
	tests := []struct {
		name, text string
		want       document
		problem    string
	}{
		{"finds its fields among others", `{"a":[{"name":"x"}],"name":"n","on":true,"inner":{"name":"i","b":{}}}`,
			document{Name: "n", On: true, Inner: struct{ Name string }{"i"}}, ""},
		{"reads escapes in names and values", `{"n\u0061me":"\u00e9\n"}`, document{Name: "é\n"}, ""},
		{"takes null as absent", `{"name":null,"inner":null,"items":null}`, document{}, ""},
		{"minds the case", `{"Name":"n","NAME":"m"}`, document{}, ""},
		{"reads a list, and keeps a value unparsed", `{"items":[ {"name":"a","rest": {"x": [1]} } , {"name":"b"}]}`,
			document{Items: []item{{"a", `{"x": [1]}`}, {"b", ""}}}, ""},
		{"rejects a field that stands twice", `{"name":"n","name":"m"}`, document{}, "name stands there twice"},
		{"rejects one that stands twice by an escape", `{"name":"n","n\u0061me":"n"}`, document{},
			"name stands there twice"},
		{"tells all errors at once, with their paths",
			`{"name":1,"on":"true","inner":{"name":[]},"items":[{"name":"a"},2]}`, document{},
			"name must be a string, not a number\non must be true or false, not a string\ninner.name must be a " +
				"string, not a list\nitems[1] must be an object, not a number"},
		{"rejects what is no object", `[]`, document{}, "must be an object, not a list"},
		{"rejects a list of what is no object", `{"items":[null]}`, document{}, "items[0] must be an object, not null"},
		{"reads on behind an item that is no object", `{"items":[1,{"name":2},null,{"name":"a"}]}`, document{},
			"items[0] must be an object, not a number\nitems[1].name must be a string, not a number\nitems[2] must " +
				"be an object, not null"},
		{"rejects what is no list", `{"items":{}}`, document{}, "items must be a list, not an object"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got document
			err := Read([]byte(test.text), &got, Object(documentFields))
			if problem := errorText(err); problem != test.problem {
				t.Fatalf("got error %q, want %q", problem, test.problem)
			}
			if test.problem == "" {
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestReadsWholeDocumentsOnly(t *testing.T) {
	nested := func(depth int) string {
		return `{"a":` + strings.Repeat("[", depth-1) + strings.Repeat("]", depth-1) + "}"
	}
	tests := []struct{ name, text, want string }{
		{"accepts what is whole", ` {"a":[1,"]]]]",{"b":null}], "c": -0.5e+10 } `, ""},
		{"accepts the deepest that is allowed", nested(MaxDepth), ""},
		{"rejects one level more", nested(MaxDepth + 1), "its JSON nests too deep"},
		{"rejects a hostile depth without following it", strings.Repeat(`{"a":`, 1_000_000), "its JSON nests too deep"},
		{"rejects what is cut short", `{"a":[1,2`, "its JSON is cut short or otherwise broken"},
		{"rejects what follows the end", `{} {}`, "its JSON is cut short or otherwise broken"},
		{"rejects nothing at all", ``, "its JSON is cut short or otherwise broken"},
		{"rejects a comma before the end", `{"a":[1,]}`, "its JSON is cut short or otherwise broken"},
		{"rejects what is broken in a value passed over", `{"a":{"b":tru}}`,
			"its JSON is cut short or otherwise broken"},
		{"rejects an escape that is none", `{"a":"\u12g4"}`, "its JSON is cut short or otherwise broken"},
		{"rejects what is not UTF-8", "{\"a\":\"\xff\"}", "its text is not UTF-8"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := errorText(Read([]byte(test.text), &document{}, Object(documentFields))); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestSeparate(t *testing.T) {
	var apart error
	var got document
	err := Read([]byte(`{"on":1,"inner":{"name":2}}`), &got, Object(Fields[document]{
		"on":    documentFields["on"],
		"inner": func(d *document, c *Cursor) { apart = c.Isolate(func() { documentFields["inner"](d, c) }) },
	}))
	if errorText(err) != "on must be true or false, not a number" ||
		errorText(apart) != "name must be a string, not a number" {
		t.Errorf("got %v, apart %v", err, apart)
	}
}

// FuzzRead holds the scan against encoding/json: they accept the same texts, and find the same in them.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		`{"name":"n","on":true,"inner":{"name":"i"},"items":[{"name":"a"}]}`,
		`{"n\u0061me":"\ud83d\ude00 \ud800 \udC00\u0000"}`, `{"name":"n","name":"m"}`,
		`{"Name":"n"}`, `{"inner":{"inner":{"name":"x"}}}`, ` { "name" : "\\\"" } `,
		`{"items":[{"name":"\/"},{"rest":[1,-2.5e-7,true,false,null,"",{}]}]}`,
		`{"name":"seven.7","on":false}`, "{\"name\":\"12345678\x1f\"}", `[0]`, `01`, `{"a":1e}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var got document
		err := Read([]byte(text), &got, Object(documentFields))
		broken := err != nil && (errors.Is(err, errBroken) || errors.Is(err, errTooDeep) || errors.Is(err, errNotUTF8))
		valid := json.Valid([]byte(text))
		if broken == valid && !errors.Is(err, errTooDeep) && utf8.ValidString(text) {
			t.Fatalf("encoding/json says %v of the text, the scan %v", valid, err)
		}
		if err != nil {
			return
		}
		var decoded struct {
			Name  string `json:"name"`
			On    bool   `json:"on"`
			Inner struct {
				Name string `json:"name"`
			} `json:"inner"`
			Items []struct {
				Name string          `json:"name"`
				Rest json.RawMessage `json:"rest"`
			} `json:"items"`
		}
		if err := kjson.UnmarshalCaseSensitivePreserveInts([]byte(text), &decoded); err != nil {
			t.Fatalf("the API's decoder rejects what the scan accepts: %v", err)
		}
		want := document{Name: decoded.Name, On: decoded.On, Inner: struct{ Name string }{decoded.Inner.Name}}
		for _, i := range decoded.Items {
			rest := string(i.Rest)
			if rest == "null" {
				rest = ""
			}
			want.Items = append(want.Items, item{i.Name, rest})
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-the API's decoder +scan):\n%s", diff)
		}
	})
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
