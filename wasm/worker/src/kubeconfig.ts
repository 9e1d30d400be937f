/** The kubeconfig of a sandbox, as text. */
export const kubeconfig = (server: string, token: string, note: string): string => `${note.split('\n').map(l => `# ${l}`.trimEnd()).join('\n')}
apiVersion: v1
kind: Config
clusters:
- name: kubonsai
  cluster:
    server: ${server}
contexts:
- name: kubonsai
  context:
    cluster: kubonsai
    user: kubonsai
current-context: kubonsai
users:
- name: kubonsai
  user:
    token: ${token}
`
