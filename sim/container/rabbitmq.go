// RabbitMQ's command line: users, their permissions and virtual hosts. The node
// carries no messages and so has no queues. What it holds is one file in its
// data directory.
// https://www.rabbitmq.com/docs/man/rabbitmqctl.8

package container

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// rabbit is what a node holds.
type rabbit struct {
	Users       map[string]rabbitUser
	Vhosts      map[string]bool
	Permissions map[string]string // by "vhost\tuser"
}

type rabbitUser struct{ Password, Tags string }

// rabbitControl is rabbitmqctl, rabbitmq-diagnostics and rabbitmq-plugins.
func rabbitControl(v *invocation) int {
	var args []string
	vhost, quiet, formatter := "/", false, ""
	for i := 1; i < len(v.args); i++ {
		switch a := v.args[i]; {
		case a == "-q" || a == "--quiet" || a == "-s" || a == "--silent":
			quiet = true
		case (a == "-p" || a == "--vhost" || a == "-n" || a == "--node" || a == "-t" || a == "--timeout" || a == "--formatter") && i+1 < len(v.args):
			i++
			switch {
			case a == "-p" || a == "--vhost":
				vhost = v.args[i]
			case a == "--formatter":
				formatter = v.args[i]
			}
		default:
			args = append(args, a)
		}
	}
	tool := path.Base(v.args[0])
	if len(args) == 0 || args[0] == "help" || args[0] == "--help" {
		fmt.Fprintf(v.Stdout, "\nUsage\n\n%s [--node <node>] [--quiet] <command> [<command options>]\n", tool)
		return map[bool]int{true: 64, false: 0}[len(args) == 0]
	}
	node := "rabbit@" + v.c.sb.Hostname
	command := args[0]
	args = append(args[1:], "", "", "", "", "")
	if command == "version" || command == "--version" {
		fmt.Fprintln(v.Stdout, v.c.Image.Version)
		return 0
	}
	if tool != "rabbitmq-plugins" && v.reach("127.0.0.1", v.b.Port) != nil {
		return v.fail(69, "Error: unable to perform an operation on node '%s'. Please see diagnostics information and suggestions below.", node)
	}
	file := v.b.Data + "/kubonsai.json"
	r := &rabbit{}
	if data, err := v.c.FS().ReadFile(file); err != nil || json.Unmarshal(data, r) != nil {
		user, password := "guest", "guest"
		if u := v.c.getenv("RABBITMQ_DEFAULT_USER"); u != "" {
			user, password = u, v.c.getenv("RABBITMQ_DEFAULT_PASS")
		}
		*r = rabbit{map[string]rabbitUser{user: {password, "administrator"}}, map[string]bool{"/": true}, map[string]string{"/\t" + user: ".*\t.*\t.*"}}
	}
	say := func(format string, a ...any) {
		if !quiet {
			fmt.Fprintf(v.Stdout, format+"\n", a...)
		}
	}
	save := func() int {
		data, _ := json.Marshal(r)
		_ = v.c.FS().MkdirAll(v.b.Data, 0o755)
		if err := v.c.FS().WriteFile(file, data, 0o600); err != nil {
			return v.fail(70, "Error:\n%s", err)
		}
		return 0
	}
	table := func(head string, rows []string) int {
		if formatter == "json" {
			keys := strings.Split(head, "\t")
			list := []map[string]string{}
			for _, row := range rows {
				m := map[string]string{}
				for i, cell := range strings.Split(row, "\t") {
					m[keys[min(i, len(keys)-1)]] = cell
				}
				list = append(list, m)
			}
			data, _ := json.Marshal(list)
			fmt.Fprintln(v.Stdout, string(data))
			return 0
		}
		if len(rows) > 0 && !quiet {
			fmt.Fprintln(v.Stdout, head)
		}
		for _, row := range rows {
			fmt.Fprintln(v.Stdout, row)
		}
		return 0
	}
	known := func(user string) bool { _, ok := r.Users[user]; return ok }
	const noUser = "Error:\nUser \"%s\" does not exist"
	if slices.Contains([]string{"list_queues", "list_permissions", "set_permissions", "clear_permissions"}, command) && !r.Vhosts[vhost] {
		return v.fail(65, "Error:\nVirtual host '%s' does not exist", vhost)
	}
	switch command {
	case "ping":
		say("Will ping %s. This only checks if the OS process is running and registered with epmd. Timeout: 60000 ms.", node)
		say("Ping succeeded")
	case "check_running", "check_local_alarms", "check_port_connectivity", "await_startup":
		say("RabbitMQ on node %s is fully booted and running", node)
	case "status":
		say("Status of node %s ...", node)
		fmt.Fprintf(v.Stdout, "Runtime\n\nOS PID: 1\nOS: Linux\nUptime (seconds): %d\nIs under maintenance?: false\nRabbitMQ version: %s\nRabbitMQ release series support status: supported\nNode name: %s\n\nTotals\n\nConnection count: 0\nQueue count: 0\nVirtual host count: %d\n\nListeners\n\nInterface: [::], port: 5672, protocol: amqp, purpose: AMQP 0-9-1 and AMQP 1.0\n",
			int(v.c.rt.Clock.Now().Sub(v.c.Started).Seconds()), v.c.Image.Version, node, len(r.Vhosts))
	case "cluster_status":
		say("Cluster status of node %s ...", node)
		fmt.Fprintf(v.Stdout, "Basics\n\nCluster name: %s\n\nDisk Nodes\n\n%[1]s\n\nRunning Nodes\n\n%[1]s\n\nVersions\n\n%[1]s: RabbitMQ %[2]s\n", node, v.c.Image.Version)
	case "list_users":
		say("Listing users ...")
		var rows []string
		for _, u := range slices.Sorted(maps.Keys(r.Users)) {
			rows = append(rows, u+"\t["+r.Users[u].Tags+"]")
		}
		return table("user\ttags", rows)
	case "list_vhosts":
		say("Listing vhosts ...")
		return table("name", slices.Sorted(maps.Keys(r.Vhosts)))
	case "list_queues":
		say("Timeout: 60.0 seconds ...\nListing queues for vhost %s ...", vhost)
	case "list_permissions":
		say("Listing permissions for vhost \"%s\" ...", vhost)
		var rows []string
		for _, k := range slices.Sorted(maps.Keys(r.Permissions)) {
			if user, ok := strings.CutPrefix(k, vhost+"\t"); ok {
				rows = append(rows, user+"\t"+r.Permissions[k])
			}
		}
		return table("user\tconfigure\twrite\tread", rows)
	case "list_connections", "list_channels", "list_consumers":
		say("Listing %s ...", strings.TrimPrefix(command, "list_"))
	case "list_exchanges":
		say("Listing exchanges for vhost %s ...", vhost)
		return table("name\ttype", []string{"\tdirect", "amq.direct\tdirect", "amq.fanout\tfanout", "amq.headers\theaders", "amq.match\theaders", "amq.topic\ttopic"})
	case "add_user":
		switch {
		case args[0] == "" || args[1] == "":
			return v.fail(64, "Error (argument validation): not enough arguments.")
		case known(args[0]):
			return v.fail(70, "Error:\nUser \"%s\" already exists", args[0])
		}
		say("Adding user \"%s\" ...\nDone. Don't forget to grant the user permissions to some virtual hosts! See 'rabbitmqctl help set_permissions' to learn more.", args[0])
		r.Users[args[0]] = rabbitUser{Password: args[1]}
		return save()
	case "delete_user", "change_password", "authenticate_user", "set_user_tags", "set_permissions", "clear_permissions":
		u := r.Users[args[0]]
		if !known(args[0]) {
			return v.fail(67, noUser, args[0])
		}
		switch command {
		case "delete_user":
			say("Deleting user \"%s\" ...", args[0])
			delete(r.Users, args[0])
			for vh := range r.Vhosts {
				delete(r.Permissions, vh+"\t"+args[0])
			}
			return save()
		case "authenticate_user":
			say("Authenticating user \"%s\" ...", args[0])
			if u.Password != args[1] {
				return v.fail(65, "Error: failed to authenticate user \"%s\"", args[0])
			}
			say("Success")
			return 0
		case "change_password":
			say("Changing password for user \"%s\" ...", args[0])
			u.Password = args[1]
		case "set_user_tags":
			tags := strings.Fields(strings.Join(args[1:], " "))
			say("Setting tags for user \"%s\" to [%s] ...", args[0], strings.Join(tags, ", "))
			u.Tags = strings.Join(tags, ", ")
		case "clear_permissions":
			say("Clearing permissions for user \"%s\" in vhost \"%s\" ...", args[0], vhost)
			delete(r.Permissions, vhost+"\t"+args[0])
		default:
			if args[3] == "" {
				return v.fail(64, "Error (argument validation): not enough arguments.")
			}
			say("Setting permissions for user \"%s\" in vhost \"%s\" ...", args[0], vhost)
			r.Permissions[vhost+"\t"+args[0]] = strings.Join(args[1:4], "\t")
		}
		r.Users[args[0]] = u
		return save()
	case "add_vhost", "delete_vhost":
		if command == "add_vhost" {
			say("Adding vhost \"%s\" ...", args[0])
			r.Vhosts[args[0]] = true
		} else {
			say("Deleting vhost \"%s\" ...", args[0])
			if !r.Vhosts[args[0]] {
				return v.fail(65, "Error:\nVirtual host '%s' does not exist", args[0])
			}
			delete(r.Vhosts, args[0])
		}
		return save()
	case "delete_queue":
		return v.fail(70, "Error:\nNo such queue was found")
	case "list", "enable", "disable":
		if tool != "rabbitmq-plugins" {
			break
		}
		mark := map[bool]string{true: "[E*]", false: "[  ]"}[strings.Contains(v.c.Image.Tag, "management") || command == "enable" && args[0] == "rabbitmq_management"]
		say("Listing plugins with pattern \".*\" ...\n Configured: E = explicitly enabled; e = implicitly enabled\n | Status: * = running on %s\n |/\n%s rabbitmq_management       %s", node, mark, v.c.Image.Version)
	default:
		return v.fail(64, "Command '%s' not found. ", command)
	}
	return 0
}
