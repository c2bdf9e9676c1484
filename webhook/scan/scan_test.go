package scan

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// document is what the tests pick out of JSON.
type document struct {
	Name  string
	On    bool
	Inner struct{ Name string }
	Items []string
}

var documentFields = Fields[document]{
	"name":  Text(func(d *document) *string { return &d.Name }),
	"on":    Boolean(func(d *document) *bool { return &d.On }),
	"inner": Object(Fields[document]{"name": Text(func(d *document) *string { return &d.Inner.Name })}),
	"items": readItems,
}

func readItems(d *document, list gjson.Result, path *field.Path) error {
	return Each(list, path, func(item gjson.Result, _ *field.Path) error {
		d.Items = append(d.Items, item.Get("name").Str)
		return nil
	})
}

func TestRead(t *testing.T) {
	tests := []struct {
		name, text string
		want       document
		problem    string
	}{
		{"finds its fields among others", `{"a":[{"name":"x"}],"name":"n","on":true,"inner":{"name":"i","b":{}}}`, document{Name: "n", On: true, Inner: struct{ Name string }{"i"}}, ""},
		{"reads escapes in names and values", `{"n\u0061me":"\u00e9\n"}`, document{Name: "é\n"}, ""},
		{"takes null as absent", `{"name":null,"inner":null,"items":null}`, document{}, ""},
		{"minds the case", `{"Name":"n","NAME":"m"}`, document{}, ""},
		{"reads a list", `{"items":[{"name":"a"},{"name":"b"}]}`, document{Items: []string{"a", "b"}}, ""},
		{"refuses a field that stands twice", `{"name":"n","name":"m"}`, document{}, "name stands there twice"},
		{"refuses one that stands twice by an escape", `{"name":"n","n\u0061me":"n"}`, document{}, "name stands there twice"},
		{"tells all errors at once, with their paths", `{"name":1,"on":"true","inner":{"name":[]},"items":[{"name":"a"},2]}`, document{},
			"name must be a string, not Number\non must be true or false, not String\ninner.name must be a string, not JSON\nitems[1] must be an object, not Number"},
		{"refuses what is no object", `[]`, document{}, "must be an object, not JSON"},
		{"refuses what is no list", `{"items":{}}`, document{}, "items must be a list, not JSON"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got document
			err := documentFields.Read(&got, gjson.Parse(test.text), nil)
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

func TestCheck(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"accepts what is whole", `{"a":[1,"]]]]",{"b":null}]}`, ""},
		{"accepts the deepest that is allowed", strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth), ""},
		{"refuses one level more", strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth+1), "its JSON nests too deep"},
		{"refuses a hostile depth without following it", strings.Repeat(`{"a":`, 1_000_000), "its JSON nests too deep"},
		{"refuses what is cut short", `{"a":[1,2`, "its JSON is cut short or otherwise broken"},
		{"refuses what follows the end", `{} {}`, "its JSON is cut short or otherwise broken"},
		{"refuses nothing at all", ``, "its JSON is cut short or otherwise broken"},
		{"refuses half a surrogate pair", `{"a":"\udC00\u0000"}`, `its JSON writes a character as a pair of \u escapes; write it as it is, in UTF-8`},
		{"refuses what is not UTF-8", "\"\xff\"", "its text is not UTF-8"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := errorText(Check(test.text)); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// FuzzRead holds the scan against encoding/json: where both accept a text, they find the same.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		`{"name":"n","on":true,"inner":{"name":"i"},"items":[{"name":"a"}]}`, `{"n\u0061me":"\u0000"}`, `{"name":"n","name":"m"}`,
		`{"Name":"n"}`, `{"inner":{"inner":{"name":"x"}}}`, ` { "name" : "\\\"" } `, `{"items":[{"name":"\/"},{}]}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if err := Check(text); err != nil {
			if json.Valid([]byte(text)) && strings.ToValidUTF8(text, "") == text && hostile(text) == nil {
				t.Fatalf("refuses valid JSON: %v", err)
			}
			return
		}
		var decoded map[string]any
		if err := json.Unmarshal([]byte(text), &decoded); err != nil && json.Valid([]byte(text)) {
			return // valid, but no object
		} else if err != nil {
			t.Fatalf("accepts what encoding/json refuses: %v", err)
		}
		var got document
		if documentFields.Read(&got, gjson.Parse(text), nil) != nil {
			return
		}
		want := document{}
		want.Name, _ = decoded["name"].(string)
		want.On, _ = decoded["on"].(bool)
		if inner, ok := decoded["inner"].(map[string]any); ok {
			want.Inner.Name, _ = inner["name"].(string)
		}
		if diff := cmp.Diff(want.Name+"|"+want.Inner.Name, got.Name+"|"+got.Inner.Name); diff != "" || want.On != got.On {
			t.Errorf("(-encoding/json +scan):\n%s on %v, %v", diff, want.On, got.On)
		}
	})
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
