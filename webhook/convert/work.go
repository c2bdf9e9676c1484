package convert

// work is what the simulation of commands may still cost. A short script can repeat a long word in nested loops, so
// limits on its length and its steps do not limit the work.
type work struct{ left int }

// Amounts of work. 1 is about 30 ns: one part of a word, or a copy of textPerWork bytes.
const (
	maxWork      = 4 << 20   // for a container that a person converts or audits
	maxLaterWork = 128 << 10 // for all containers of a pod in an admission

	textPerWork    = 64
	workOfCommand  = 32
	workOfVariable = 8
	workOfName     = 64 // to look a sysctl up
	workOfProblem  = 16
)

// workOfText returns the amount of work to copy a text.
func workOfText(s string) int { return 1 + len(s)/textPerWork }

// spend takes an amount of work. It returns false if less than that is left, and from then on.
func (w *work) spend(amount int) bool {
	if amount > w.left {
		w.left = 0
		return false
	}
	w.left -= amount
	return true
}

// spend takes an amount of work. If less is left, it adds a problem, ends the script and returns false.
func (r *run) spend(amount int) bool {
	if r.setting.work.spend(amount) {
		return true
	}
	if !r.isOutOfWork {
		r.isOutOfWork = true
		r.problems = append(r.problems, Problem{Reason: "the script takes too much work to analyze"})
	}
	r.exit(0)
	return false
}

// spendOn takes the work for the pieces of one part of a word.
func (r *run) spendOn(pieces []piece) bool {
	amount := 1
	for _, p := range pieces {
		amount += workOfText(p.s)
	}
	return r.spend(amount)
}
