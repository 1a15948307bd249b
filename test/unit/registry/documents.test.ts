import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { formatProblem } from '#base/config.ts';
import { readResources } from '../../../namerd/resources/index.ts';

function read(text: string): { values: unknown[]; problems: string[] } {
  const { resources, problems } = readResources(text, 'r.yaml');
  return { values: resources.map(({ value }) => value), problems: problems.map(formatProblem) };
}

const HEAD = 'apiVersion: nodemesh.io/v1alpha1\n';

suite('documents of the registry', () => {
  test('a service', () => {
    const { values, problems } = read(`${HEAD}kind: Service
metadata: {name: division, namespace: calc, labels: {team: a}}
spec:
  addresses: [10.96.0.1, '2001:DB8::0:1']
  ports:
    - {name: http, port: 80, targetPort: web, appProtocol: http}
    - {port: 9090, targetPort: 19090}
    - {name: raw, port: 5000, protocol: TCP}
  selector: {app: division}
`);
    assert.deepEqual(problems, []);
    assert.deepEqual(values, [
      {
        namespace: 'calc',
        name: 'division',
        labels: { team: 'a' },
        annotations: {},
        addresses: ['10.96.0.1', '2001:db8::1'],
        ports: [
          { name: 'http', port: 80, target: 'web', appProtocol: 'http' },
          { name: '', port: 9090, target: 19090, appProtocol: '' },
          { name: 'raw', port: 5000, target: 5000, appProtocol: '' },
        ],
        selector: { app: 'division' },
      },
    ]);
  });

  test('a workload, with and without defaults', () => {
    const { values, problems } = read(`${HEAD}kind: Workload
metadata: {name: division-1, namespace: calc, labels: {app: division, nodemesh.io/mesh: enabled}}
spec: {node: n1, serviceAccount: div, addresses: [10.0.0.5], ports: {web: 8080}, zone: z1, weight: 2.5, ready: false, terminating: true}
---
${HEAD}kind: Workload
metadata: {name: bare}
spec: {node: n2}
`);
    assert.deepEqual(problems, []);
    assert.deepEqual(values[0], {
      namespace: 'calc',
      name: 'division-1',
      labels: { app: 'division', 'nodemesh.io/mesh': 'enabled' },
      annotations: {},
      node: 'n1',
      serviceAccount: 'div',
      addresses: ['10.0.0.5'],
      ports: { web: 8080 },
      zone: 'z1',
      weight: 2.5,
      ready: false,
      terminating: true,
    });
    const bare = values[1] as Record<string, unknown>;
    assert.deepEqual(
      [bare['serviceAccount'], bare['addresses'], bare['weight'], bare['ready'], bare['terminating']],
      ['default', [], 1, true, false],
    );
  });

  test('every mistake at once, each at its place', () => {
    const { values, problems } = read(`${HEAD}kind: Service
metadata: {name: a}
spec:
  addresses: [10.0.0.300, 10.0.0.1, 10.0.0.1, 0.0.0.0]
  ports:
    - {name: '80', port: 80}
    - {name: web, port: 80}
    - {name: web, port: 70000, targetPort: 0}
    - {name: udp, port: 53, protocol: UDP}
  selectr: {}
---
${HEAD}kind: Workload
metadata: {name: b, labels: {nodemesh.io/mesh: maybe}}
spec:
  serviceAccount: Default
  ports: {web: '80', '81': 81}
  weight: 0
  ready: 1
`);
    assert.deepEqual(values, []);
    assert.deepEqual(problems, [
      "r.yaml:5:15: spec.addresses[0]: '10.0.0.300' is no IP address such as '10.0.0.1' or '2001:db8::1'",
      'r.yaml:5:37: spec.addresses[2]: the address 10.0.0.1 stands here twice',
      "r.yaml:5:47: spec.addresses[3]: '0.0.0.0' is nobody's address",
      "r.yaml:7:14: spec.ports[0].name: '80' is a number in quotes, not the name of a port",
      "r.yaml:8:25: spec.ports[1].port: the port '80' stands here twice",
      'r.yaml:9:25: spec.ports[2].port: 70000 is out of range: 1 to 65535',
      'r.yaml:9:44: spec.ports[2].targetPort: 0 is out of range: 1 to 65535',
      "r.yaml:9:14: spec.ports[2].name: the port 'web' stands here twice",
      "r.yaml:10:39: spec.ports[3].protocol: 'UDP' is not one of TCP",
      "r.yaml:11:12: spec.selectr: unknown field 'selectr' (known here: addresses, ports, selector)",
      "r.yaml:17:3: spec: the label nodemesh.io/mesh is 'maybe'; it may be 'enabled' or 'disabled'",
      "r.yaml:17:3: spec: the field 'node' is missing",
      "r.yaml:17:19: spec.serviceAccount: 'Default' is no DNS-1123 label: lower-case letters, digits and '-' inside, at most 63 characters",
      'r.yaml:18:16: spec.ports.web: a whole number is expected here, but "80" is there',
      "r.yaml:18:28: spec.ports.81: '81' is a number in quotes, not the name of a port",
      'r.yaml:19:11: spec.weight: 0 is out of range: 0.001 to 1000000',
      'r.yaml:20:10: spec.ready: true or false is expected here, but 1 is there',
    ]);
  });
});
