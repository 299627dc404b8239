/** What an operation needs, in the three languages that Azure has for it. */
interface Permission {
  /** Letters of a SAS token. */
  readonly sas: string;
  /** Data action of a role. */
  readonly action: string;
}

const DELEGATE = 'Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action';
const DELAY = 'A new role takes up to ten minutes to apply';
const BLOBS = 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs';

const PERMISSIONS: Readonly<Record<string, Permission>> = {
  put: { sas: 'w', action: `${BLOBS}/write and ${BLOBS}/add/action` },
  open: { sas: 'r', action: `${BLOBS}/read` },
  head: { sas: 'r', action: `${BLOBS}/read` },
  delete: { sas: 'd', action: `${BLOBS}/delete` },
  list: { sas: 'l', action: `${BLOBS}/read` },
  check: { sas: 'r and l', action: `${BLOBS}/read` },
  sweepIncomplete: { sas: 'l and d', action: `${BLOBS}/read and ${BLOBS}/delete` },
};
const ANYTHING: Permission = { sas: 'r, w, d and l', action: `${BLOBS}/read, write and delete` };

/** The sentence for somebody whose credentials may not do this. */
export function permissionAdvice(operation: string): string {
  // a key for links is given by the account, not by the container
  if (operation === 'resolveUrl') {
    return `To sign links, the identity needs the role Storage Blob Delegator on the account (action ${DELEGATE}). ${DELAY}`;
  }
  const { sas, action } = PERMISSIONS[operation] ?? ANYTHING;
  return (
    `A SAS token needs the permission ${sas}; a user, app or managed identity needs the role Storage Blob Data ` +
    `Contributor on the container or the account (action ${action}). ${DELAY}`
  );
}
