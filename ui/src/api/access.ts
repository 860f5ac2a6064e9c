import { body, done, node } from "./client";
import { ApiError } from "./error";
import type {
  AddMemberKeyRequest,
  AuditOutcome,
  CreateAdminTokenRequest,
  CreateMemberRequest,
  GuestPolicy,
  Role,
  RotateKeysRequest,
  UpdateMemberRequest,
} from "./types";

/** The node's calls about who may do what. Whatever is no success is thrown as an `ApiError`. */

export function listMembers(signal: AbortSignal) {
  return body(node.GET("/v1/members", { signal }));
}

export function getMember(subject: string, signal: AbortSignal) {
  return body(node.GET("/v1/members/{subject}", { params: { path: { subject } }, signal }));
}

export function createMember(request: CreateMemberRequest) {
  return body(node.POST("/v1/members", { body: request }));
}

export function updateMember(subject: string, request: UpdateMemberRequest) {
  return body(node.PATCH("/v1/members/{subject}", { params: { path: { subject } }, body: request }));
}

export function deleteMember(subject: string) {
  return done(node.DELETE("/v1/members/{subject}", { params: { path: { subject } } }));
}

export function addMemberKey(subject: string, request: AddMemberKeyRequest) {
  return body(node.POST("/v1/members/{subject}/keys", { params: { path: { subject } }, body: request }));
}

export function removeMemberKey(subject: string, address: string) {
  return done(node.DELETE("/v1/members/{subject}/keys/{address}", { params: { path: { subject, address } } }));
}

/** Makes a link that signs one browser in as that member. */
export function createLink(subject: string) {
  return body(node.POST("/v1/auth/links", { body: { subject } }));
}

export function getGuests(signal: AbortSignal) {
  return body(node.GET("/v1/guests", { signal }));
}

export function setGuests(policy: GuestPolicy) {
  return body(node.PUT("/v1/guests", { body: policy }));
}

/** `null` goes back to what the kind itself asks for. */
export function setKindRoles(kind: string, roles: Role[] | null) {
  return body(node.PUT("/v1/kinds/{kind}/roles", { params: { path: { kind } }, body: { roles } }));
}

export function createAdminToken(request: CreateAdminTokenRequest) {
  return body(node.POST("/v1/admin-tokens", { body: request }));
}

export function listKeys(signal: AbortSignal) {
  return body(node.GET("/v1/keys", { signal }));
}

export function rotateKeys(request: RotateKeysRequest) {
  return body(node.POST("/v1/keys/rotate", { body: request }));
}

export function createEngine(name: string) {
  return body(node.POST("/v1/engines", { body: { name } }));
}

export function rotateEngineToken(engineId: string, graceSeconds: number) {
  const params = { path: { engine_id: engineId } };
  return body(node.POST("/v1/engines/{engine_id}/token/rotate", { params, body: { grace_seconds: graceSeconds } }));
}

export function revokeEngineToken(engineId: string) {
  return done(node.POST("/v1/engines/{engine_id}/token/revoke", { params: { path: { engine_id: engineId } } }));
}

/** The sessions of whoever asks, or of everybody. */
export function listSignIns(all: boolean, signal: AbortSignal) {
  return body(node.GET("/v1/auth/sessions", { params: { query: all ? { all } : {} }, signal }));
}

export function endSignIn(sessionId: string) {
  return done(node.DELETE("/v1/auth/sessions/{session_id}", { params: { path: { session_id: sessionId } } }));
}

/** Ends all sessions of whoever asks. */
export function signOutEverywhere() {
  return body(node.POST("/v1/auth/sign-out-everywhere", { body: {} }));
}

interface AuditSearch {
  actor?: string | undefined;
  action?: string | undefined;
  outcome?: AuditOutcome | undefined;
  object?: string | undefined;
  ip?: string | undefined;
  from?: string | undefined;
  to?: string | undefined;
}

export function listAudit(query: AuditSearch & { cursor?: string | undefined }, signal: AbortSignal) {
  return body(node.GET("/v1/audit", { params: { query }, signal }));
}

/** All entries that match, as a file. */
export async function exportAudit(query: AuditSearch): Promise<Blob> {
  const { data, error, response } = await node.GET("/v1/audit/export", { params: { query }, parseAs: "blob" });
  if (!response.ok || data === undefined) throw new ApiError(response.status, error, response.headers);
  return data;
}
