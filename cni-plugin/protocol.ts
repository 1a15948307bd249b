/** The conversation with the node's proxy over its unix socket: types and readers for the server, a client for the rest. */

export { NodeClient, NodeRefused, NodeUnreachable } from './node-client.ts';
export {
  type Attachment,
  DEFAULT_SOCKET,
  type ErrorBody,
  MAX_ANSWER_BYTES,
  MAX_REQUEST_BYTES,
  PATHS,
  type PodAdd,
  type PodAddAnswer,
  type PodCheck,
  type PodDelete,
  type PodGc,
  RequestError,
  readPodAdd,
  readPodCheck,
  readPodDelete,
  readPodGc,
  type StatusAnswer,
} from './requests.ts';
