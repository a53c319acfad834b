import { functionHandler, functionRepeatsHandler, rawDataHandler, stackHandler } from './function.ts';
import type { MakeHandler } from './handler.ts';
import {
  kvmEmulateHandler,
  kvmEntryHandler,
  kvmExitHandler,
  kvmGetPageHandler,
  kvmNestedExitHandler,
  kvmNestedInjectHandler,
  kvmRoleHandler,
} from './kvm.ts';
import {
  bssInfoHandler,
  callSiteHandler,
  futexHandler,
  timerExpireHandler,
  timerStartHandler,
  tlbFlushHandler,
} from './others.ts';
import { schedSwitchHandler, schedWakeupHandler } from './sched.ts';

/** Events that libtraceevent's plugins print in their own way. */
export const pluginHandlers: ReadonlyMap<string, MakeHandler> = new Map([
  ['ftrace:function', functionHandler],
  ['ftrace:func_repeats', functionRepeatsHandler],
  ['ftrace:kernel_stack', stackHandler],
  ['ftrace:raw_data', rawDataHandler],
  ['sched:sched_switch', schedSwitchHandler],
  ['sched:sched_wakeup', schedWakeupHandler],
  ['sched:sched_wakeup_new', schedWakeupHandler],
  ['kvm:kvm_exit', kvmExitHandler],
  ['kvm:kvm_entry', kvmEntryHandler],
  ['kvm:kvm_emulate_insn', kvmEmulateHandler],
  ['kvm:kvm_nested_vmexit', kvmNestedExitHandler],
  ['kvm:kvm_nested_vmexit_inject', kvmNestedInjectHandler],
  ['kvmmmu:kvm_mmu_get_page', kvmGetPageHandler],
  ['kvmmmu:kvm_mmu_sync_page', kvmRoleHandler],
  ['kvmmmu:kvm_mmu_unsync_page', kvmRoleHandler],
  ['kvmmmu:kvm_mmu_zap_page', kvmRoleHandler],
  ['kvmmmu:kvm_mmu_prepare_zap_page', kvmRoleHandler],
  ['timer:hrtimer_expire_entry', timerExpireHandler],
  ['timer:hrtimer_start', timerStartHandler],
  ['kmem:kfree', callSiteHandler],
  ['kmem:kmalloc', callSiteHandler],
  ['kmem:kmalloc_node', callSiteHandler],
  ['kmem:kmem_cache_alloc', callSiteHandler],
  ['kmem:kmem_cache_alloc_node', callSiteHandler],
  ['kmem:kmem_cache_free', callSiteHandler],
  ['tlb:tlb_flush', tlbFlushHandler],
  ['syscalls:sys_enter_futex', futexHandler],
  ['mac80211:drv_bss_info_changed', bssInfoHandler],
]);
