/**
 * The wire between the nodes: a bridge in the demo's own namespace with one cable to every node. The demo
 * itself (and namerd) sits on it too, with routes to the pods, like a machine beside the cluster.
 *
 *   10.99.0.1 the demo, namerd     10.99.0.11 node-1     10.99.0.12 node-2
 */

import { run } from './command.ts';
import { NetNamespace } from './namespace.ts';

export const WIRE_IP = '10.99.0.1';
const BRIDGE = 'wire';

export interface NodeGround {
  name: string;
  /** 1 for `node-1`. */
  index: number;
  namespace: NetNamespace;
  /** The node's address on the wire. */
  ip: string;
  /** From which its pods get their addresses. */
  podSubnet: string;
  /** The interface, in the demo's namespace, that carries all that this node sends and receives. */
  cable: string;
}

/** Lays the wire and connects `count` nodes, with routes from every node to the others' pods. */
export async function layWire(count: number): Promise<NodeGround[]> {
  await run('ip', ['link', 'add', BRIDGE, 'type', 'bridge']);
  await run('ip', ['address', 'add', `${WIRE_IP}/24`, 'dev', BRIDGE]);
  await run('ip', ['link', 'set', BRIDGE, 'up']);
  const nodes: NodeGround[] = [];
  for (let index = 1; index <= count; index++) nodes.push(await connectNode(index));
  for (const { podSubnet, ip, namespace } of nodes) {
    await run('ip', ['route', 'add', podSubnet, 'via', ip]);
    for (const other of nodes)
      if (other.namespace !== namespace) await other.namespace.ip('route', 'add', podSubnet, 'via', ip);
  }
  return nodes;
}

async function connectNode(index: number): Promise<NodeGround> {
  const name = `node-${index}`;
  const namespace = await NetNamespace.create(name);
  const cable = `cable-${index}`;
  const ip = `10.99.0.${10 + index}`;
  await run('ip', ['link', 'add', cable, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name]);
  await run('ip', ['link', 'set', cable, 'master', BRIDGE, 'up']);
  await namespace.ip('address', 'add', `${ip}/24`, 'dev', 'eth0');
  await namespace.ip('link', 'set', 'eth0', 'up');
  await namespace.ip('route', 'add', 'default', 'via', WIRE_IP);
  await namespace.run(['sysctl', '-q', '-w', 'net.ipv4.ip_forward=1']);
  return { name, index, namespace, ip, podSubnet: `10.244.${index}.0/24`, cable };
}
