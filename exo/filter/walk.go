package filter

import "slices"

// Budgets of the walk. What exceeds them is interpreted where it is merged.
const (
	maxPaths = 256
	maxSteps = 1 << 16
	maxEnds  = 4 * maxPaths // accepting ends, those included that no packet reaches
)

// walk runs a verified program on a packet of unknowns and returns its accepting paths, or why it cannot. No packet passes two of
// them, because they part at jumps.
func walk(code []Instruction) ([]path, string) {
	w := walker{code: code, work: maxWork}
	w.from(0, &state{})
	if w.opaque != "" {
		return nil, w.opaque
	}
	return w.paths, ""
}

type walker struct {
	code   []Instruction
	paths  []path
	steps  int
	ends   int
	work   budget
	opaque string
}

// A state is what is known at one instruction.
type state struct {
	a, x value
	m    [scratchWords]value
	path path // what the packet has passed on the way
}

// from walks on from an instruction, until every way from there has ended. It changes s.
func (w *walker) from(pc int, s *state) {
	for w.opaque == "" {
		if w.steps++; w.steps > maxSteps {
			w.opaque = "walking its paths takes more than " + decimal(maxSteps) + " steps"
			return
		}
		in := w.code[pc]
		operand := number(in.K)
		if in.Op&byX != 0 && in.Op&7 >= 4 {
			operand = s.x
		}
		pc++
		var load field
		switch in.Op {
		case LdImm:
			s.a = operand
		case LdxImm:
			s.x = operand
		case LdLen:
			s.a = whole(length)
		case LdxLen:
			s.x = whole(length)
		case LdMem:
			s.a = s.m[in.K]
		case LdxMem:
			s.x = s.m[in.K]
		case St:
			s.m[in.K] = s.a
		case Stx:
			s.m[in.K] = s.x
		case Tax:
			s.x = s.a
		case Txa:
			s.a = s.x
		case LdAbsW, LdAbsH, LdAbsB, LdxMsh:
			load = field{off: in.K, size: loadSize(in.Op)}
		case LdIndW, LdIndH, LdIndB:
			ok := false
			if load, ok = s.x.indexes(in.K, loadSize(in.Op)); !ok {
				w.give("indexes by", pc-1)
				return
			}
		case Ja:
			pc += int(in.K)
		case JeqK, JeqX, JgtK, JgtX, JgeK, JgeX, JsetK, JsetX:
			if s.a.what == constant && operand.what == constant {
				if holds(in.Op, s.a.add, operand.add) {
					pc += int(in.Jt)
				} else {
					pc += int(in.Jf)
				}
				continue
			}
			w.fork(pc, in, operand, s)
			return
		case RetK, RetA:
			if in.Op == RetA {
				operand = s.a
			}
			w.ret(operand, s, pc-1)
			return
		default:
			if !w.compute(in.Op, operand, s, pc-1) {
				return
			}
		}
		if load.size != 0 {
			if load.index.size == 0 && load.off >= extensions {
				return // in no packet: this way rejects
			}
			var ok bool
			if s.path, ok = s.path.and(test{field: load, kind: has}); !ok {
				return
			}
			if in.Op == LdxMsh {
				s.x = whole(load).keep(15).shiftBy(2)
			} else {
				s.a = whole(load)
			}
		}
	}
}

// fork follows both ways of a conditional jump whose outcome the packet decides. pc is behind the jump.
func (w *walker) fork(pc int, in Instruction, operand value, s *state) {
	if len(s.path) > 2*maxTests {
		w.opaque = "a path has more than " + decimal(maxTests) + " tests"
		return
	}
	v, op, k := s.a, in.Op&^byX, operand
	jt, jf := pc+int(in.Jt), pc+int(in.Jf)
	if jt == jf {
		w.from(jt, s)
		return
	}
	if v.what == constant { // k is a part: turn the comparison around
		v, k = k, v
		switch op {
		case JgtK: // c > part is not part >= c
			op, jt, jf = JgeK, jf, jt
		case JgeK:
			op, jt, jf = JgtK, jf, jt
		}
	}
	if v.what != part || k.what != constant {
		w.give("compares", pc-1)
		return
	}
	yes, no, ok := v.compare(op, k.add)
	if !ok {
		w.give("compares", pc-1)
		return
	}
	if p, ok := s.path.and(yes); ok {
		taken := *s
		taken.path = p
		w.from(jt, &taken)
	}
	if p, ok := s.path.and(no); ok {
		s.path = p
		w.from(jf, s)
	}
}

// compute is arithmetic on A. It returns false where this way ends.
func (w *walker) compute(op uint16, operand value, s *state, at int) bool {
	if divides := op == DivX || op == ModX; divides && operand.what == constant && operand.add == 0 {
		return false // rejects
	} else if divides && operand.what != constant {
		// An X of 0 rejects.
		if operand.what != part {
			w.give("divides by", at)
			return false
		}
		_, not, ok := operand.compare(JeqK, 0)
		if ok {
			s.path, ok = s.path.and(not)
		}
		if !ok {
			return false
		}
	}
	s.a = s.a.compute(op, operand)
	return true
}

// ret ends a way. It is a path of the program if what is returned is not 0.
func (w *walker) ret(v value, s *state, at int) {
	switch v.what {
	case constant:
		if v.add == 0 {
			return
		}
	case part:
		_, not, ok := v.compare(JeqK, 0)
		if ok {
			s.path, ok = s.path.and(not)
		}
		if !ok {
			return
		}
	default:
		w.give("returns", at)
		return
	}
	if w.ends++; w.ends > maxEnds {
		w.opaque = "it has more than " + decimal(maxEnds) + " accepting ends, reachable or not"
		return
	}
	p := s.path.canonical()
	switch _, verdict, _ := solve(p, &w.work); {
	case verdict == Disjoint: // no packet passes
	case len(p) > maxTests:
		w.opaque = "a path has more than " + decimal(maxTests) + " tests"
	case len(w.paths) == maxPaths:
		w.opaque = "it has more than " + decimal(maxPaths) + " accepting paths"
	default:
		w.paths = append(w.paths, slices.Clip(p))
	}
}

// give gives up: the program does something with a value that is not followed.
func (w *walker) give(verb string, at int) {
	w.opaque = "instruction " + decimal(uint64(at)) + " " + verb + " a value that is not followed back to one field of the packet"
}

// indexes is the field that a load at v + k reads, if v is a constant or a part of a field at a fixed offset.
func (v value) indexes(k uint32, size uint8) (field, bool) {
	f := field{off: v.add + k, size: size}
	switch {
	case v.what == constant:
		return f, true
	case v.what == part && v.field.size != 0 && v.field.index.size == 0:
		f.index = index{off: v.field.off, mask: v.mask, size: v.field.size, shift: v.shift}
		return f, true
	}
	return f, false
}
