import { declarePointer, viewMemory } from '../libc.ts';

// struct group begins alike in glibc and musl: char *name, char *password, gid_t
const libcGetgrnam = declarePointer('void *getgrnam(const char *name)');
const groupBytes = 20;
const gidIndex = 4;

/** Looks a group's number up as the system does (files, LDAP, …), blocking; undefined when there is none of that name. */
export function lookUpGroup(name: string): number | undefined {
  const pointer = libcGetgrnam(name);
  return pointer === null ? undefined : new Uint32Array(viewMemory(pointer, groupBytes))[gidIndex];
}
