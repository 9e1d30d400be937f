// What MongoDB finds and changes: cursors, projections, filters, updates.

package container

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

func (r *mongoRun) insertDocs(name, method string, args mongoArgs) (string, error) {
	var list []any
	if len(args) > 0 {
		if l, ok := args[0].([]any); ok && method != "insertOne" {
			list = l
		} else {
			list = args[:1]
		}
	}
	if len(list) == 0 {
		return "", fmt.Errorf("MongoInvalidArgumentError: Argument \"docs\" must be an array of documents")
	}
	ids := doc()
	for i, v := range list {
		d, ok := v.(*mongoDoc)
		if !ok {
			return "", errors.New("MongoInvalidArgumentError: Document must be an object")
		}
		d = d.clone()
		id, has := d.get("_id")
		if !has {
			count := 1
			for _, colls := range r.d {
				for _, docs := range colls {
					count += len(docs)
				}
			}
			id = mongoCall{"ObjectId", fmt.Sprintf("%08x%010.10s%06x", r.s.now().Unix(), strings.ReplaceAll(r.s.c.ID, "-", ""), count)}
			d.fields = slices.Insert(d.fields, 0, mongoField{"_id", id})
		}
		for k := range d.fields {
			if c, ok := d.fields[k].value.(mongoCall); ok && c.name == "ISODate" && c.text == "" {
				d.fields[k].value = mongoCall{"ISODate", r.s.now().UTC().Format("2006-01-02T15:04:05.000Z")}
			}
		}
		for _, other := range r.d[r.db][name] {
			if oid, _ := other.get("_id"); order(oid, id) == 0 {
				return "", fmt.Errorf("MongoServerError: E11000 duplicate key error collection: %s.%s index: _id_ dup key: { _id: %s }", r.db, name, strings.ReplaceAll(inspect(id, 0), "'", `"`))
			}
		}
		r.touch(name)
		r.d[r.db][name] = append(slices.Clip(r.d[r.db][name]), d)
		ids.fields = append(ids.fields, mongoField{strconv.Itoa(i), id})
	}
	if method == "insertOne" {
		return inspect(doc("acknowledged", true, "insertedId", ids.fields[0].value), 0), nil
	}
	return inspect(doc("acknowledged", true, "insertedIds", ids), 0), nil
}

func (r *mongoRun) updateDocs(name, method string, found []int, args mongoArgs) (string, error) {
	change := args.doc(1)
	operators := len(change.fields) > 0 && strings.HasPrefix(change.fields[0].name, "$")
	if operators != (method != "replaceOne") {
		return "", errors.New("MongoInvalidArgumentError: Update document requires atomic operators")
	}
	upserted, docs := any(nil), r.d[r.db][name]
	apply := func(d *mongoDoc) (*mongoDoc, error) {
		out := d.clone()
		if !operators {
			id, has := out.get("_id")
			if out = change.clone(); has && out.index("_id") < 0 {
				out.fields = slices.Insert(out.fields, 0, mongoField{"_id", id})
			}
			return out, nil
		}
		for _, op := range change.fields {
			for _, f := range mongoArgs([]any{op.value}).doc(0).fields {
				old, _ := out.get(f.name)
				n, _ := old.(float64)
				by, _ := f.value.(float64)
				list, _ := old.([]any)
				switch op.name {
				case "$set":
					out.set(f.name, f.value)
				case "$unset":
					if i := out.index(f.name); i >= 0 {
						out.fields = slices.Delete(out.fields, i, i+1)
					}
				case "$inc":
					out.set(f.name, n+by)
				case "$mul":
					out.set(f.name, n*by)
				case "$push":
					out.set(f.name, append(slices.Clip(list), f.value))
				case "$pull":
					out.set(f.name, slices.DeleteFunc(slices.Clone(list), func(x any) bool { return order(x, f.value) == 0 }))
				case "$currentDate":
					out.set(f.name, mongoCall{"ISODate", r.s.now().UTC().Format("2006-01-02T15:04:05.000Z")})
				default:
					return nil, fmt.Errorf("MongoServerError[FailedToParse]: Unknown modifier: %s", op.name)
				}
			}
		}
		return out, nil
	}
	modified := 0
	for _, i := range found {
		d, err := apply(docs[i])
		if err != nil {
			return "", err
		}
		if order(d, docs[i]) != 0 {
			modified++
		}
		docs[i] = d
		r.changed = true
	}
	if up, _ := args.doc(2).get("upsert"); up == true && len(found) == 0 {
		d := &mongoDoc{}
		for _, f := range args.doc(0).fields {
			if _, nested := f.value.(*mongoDoc); !nested && !strings.HasPrefix(f.name, "$") {
				d.set(f.name, f.value)
			}
		}
		d, err := apply(d)
		if err != nil {
			return "", err
		}
		if _, err := r.insertDocs(name, "insertOne", mongoArgs{d}); err != nil {
			return "", err
		}
		upserted, _ = r.d[r.db][name][len(docs)].get("_id")
	}
	return inspect(doc("acknowledged", true, "insertedId", upserted, "matchedCount", float64(len(found)), "modifiedCount", float64(modified),
		"upsertedCount", float64(boolInt(upserted != nil))), 0), nil
}

// cursor is what the calls after find() make of the documents.
func cursor(p *mongoParser, docs []*mongoDoc, projection *mongoDoc) (string, error) {
	limit, skip := 0, 0
	for p.take(".") {
		method := p.name()
		args, called, err := p.call()
		if !called || err != nil {
			return "", cmp.Or(err, p.wrong())
		}
		n, _ := strconv.Atoi(args.text(0))
		switch method {
		case "sort":
			slices.SortStableFunc(docs, func(a, b *mongoDoc) int {
				for _, f := range args.doc(0).fields {
					x, _ := a.get(f.name)
					y, _ := b.get(f.name)
					if c := order(x, y); c != 0 {
						if f.value == -1.0 {
							return -c
						}
						return c
					}
				}
				return 0
			})
		case "limit":
			limit = max(n, 0)
		case "skip":
			skip = max(n, 0)
		case "count", "size", "itcount":
			return strconv.Itoa(len(docs)), nil
		case "pretty", "toArray":
		default:
			return "", fmt.Errorf("TypeError: db.collection.find(...).%s is not a function", method)
		}
	}
	docs = docs[min(skip, len(docs)):]
	if limit > 0 {
		docs = docs[:min(limit, len(docs))]
	}
	if len(docs) == 0 {
		return "", nil
	}
	more := ""
	if len(docs) > 20 {
		docs, more = docs[:20], "\nType \"it\" for more"
	}
	list := make([]any, len(docs))
	for i, d := range docs {
		list[i] = project(d, projection)
	}
	return inspect(list, 0) + more, nil
}

// project keeps the fields that a projection names, or drops them.
func project(d, projection *mongoDoc) *mongoDoc {
	if len(projection.fields) == 0 {
		return d
	}
	keep := slices.ContainsFunc(projection.fields, func(f mongoField) bool { return f.name != "_id" && (f.value == 1.0 || f.value == true) })
	out := &mongoDoc{}
	for _, f := range d.fields {
		v, named := projection.get(f.name)
		if yes := v == 1.0 || v == true; yes || !named && (!keep || f.name == "_id") {
			out.fields = append(out.fields, f)
		}
	}
	return out
}

// order compares two values, those of different types by their type.
func order(a, b any) int {
	rank := func(v any) int {
		switch v.(type) {
		case nil:
			return 0
		case float64:
			return 1
		case string:
			return 2
		case *mongoDoc:
			return 3
		case []any:
			return 4
		case bool:
			return 6
		}
		return 5
	}
	if c := cmp.Compare(rank(a), rank(b)); c != 0 {
		return c
	}
	if x, ok := a.(float64); ok {
		return cmp.Compare(x, b.(float64))
	}
	return strings.Compare(mongoText(a), mongoText(b))
}

// matches reports whether a document fits a filter.
func matches(d, filter *mongoDoc) (bool, error) {
	for _, f := range filter.fields {
		if f.name == "$and" || f.name == "$or" || f.name == "$nor" {
			list, _ := f.value.([]any)
			n := 0
			for _, e := range list {
				ok, err := matches(d, mongoArgs{e}.doc(0))
				if err != nil {
					return false, err
				}
				n += boolInt(ok)
			}
			if f.name == "$and" && n < len(list) || f.name == "$or" && n == 0 || f.name == "$nor" && n > 0 {
				return false, nil
			}
			continue
		}
		if strings.HasPrefix(f.name, "$") {
			return false, fmt.Errorf("MongoServerError[BadValue]: unknown top level operator: %s", f.name)
		}
		v, has := d.get(f.name)
		cond, ok := f.value.(*mongoDoc)
		if !ok || len(cond.fields) == 0 || !strings.HasPrefix(cond.fields[0].name, "$") {
			cond = doc("$eq", f.value)
		}
		for _, c := range cond.fields {
			ok, err := fits(v, has, c, cond)
			if !ok || err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

// fits is one condition on a value; one on a list may be met by any element.
func fits(v any, has bool, c mongoField, all *mongoDoc) (bool, error) {
	equal := func(want any) bool {
		if re, ok := want.(mongoCall); ok && re.name == "/" {
			s, isText := v.(string)
			expr, flags, _ := strings.Cut(re.text, "/")
			return isText && regexLike(s, expr, strings.Contains(flags, "i"))
		}
		list, _ := v.([]any)
		return order(v, want) == 0 || slices.ContainsFunc(list, func(x any) bool { return order(x, want) == 0 })
	}
	in := func() bool {
		list, _ := c.value.([]any)
		return slices.ContainsFunc(list, equal)
	}
	same := fmt.Sprintf("%T", v) == fmt.Sprintf("%T", c.value)
	switch c.name {
	case "$eq":
		return equal(c.value), nil
	case "$ne":
		return !equal(c.value), nil
	case "$gt":
		return same && order(v, c.value) > 0, nil
	case "$gte":
		return same && order(v, c.value) >= 0, nil
	case "$lt":
		return same && order(v, c.value) < 0, nil
	case "$lte":
		return same && order(v, c.value) <= 0, nil
	case "$in":
		return in(), nil
	case "$nin":
		return !in(), nil
	case "$exists":
		return has == (c.value == true || c.value == 1.0), nil
	case "$regex":
		options, _ := all.get("$options")
		s, ok := v.(string)
		return ok && regexLike(s, mongoText(c.value), options == "i"), nil
	case "$options":
		return true, nil
	case "$not":
		ok, err := matches(doc("x", v), doc("x", c.value))
		return !ok, err
	case "$size":
		list, ok := v.([]any)
		return ok && float64(len(list)) == c.value, nil
	}
	return false, fmt.Errorf("MongoServerError[BadValue]: unknown operator: %s", c.name)
}

// regexLike matches a regular expression; one that is none matches nothing.
func regexLike(s, expr string, fold bool) bool {
	if fold {
		expr = "(?i)" + expr
	}
	re, err := regexp.Compile(expr)
	return err == nil && re.MatchString(s)
}
