export interface ExitReason {
  readonly number: number;
  readonly name: string;
}

function reason(number: number, name: string): ExitReason {
  return { number, name };
}

/** VMX_EXIT_REASONS of arch/x86/include/uapi/asm/vmx.h. */
export const exits = {
  EXTERNAL_INTERRUPT: reason(1, 'EXTERNAL_INTERRUPT'),
  CPUID: reason(10, 'CPUID'),
  HLT: reason(12, 'HLT'),
  IO_INSTRUCTION: reason(30, 'IO_INSTRUCTION'),
  MSR_WRITE: reason(32, 'MSR_WRITE'),
  EPT_VIOLATION: reason(48, 'EPT_VIOLATION'),
  EPT_MISCONFIG: reason(49, 'EPT_MISCONFIG'),
} as const;
