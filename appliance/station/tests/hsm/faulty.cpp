// A PKCS#11 module that hands every call on to another one and fails as it is told to.
//
// Everything lies in its own folder: the file `module` names the other module, `fault` holds one word:
//   once     C_Sign answers CKR_GENERAL_ERROR until the module is initialised anew
//   always   C_Sign answers CKR_GENERAL_ERROR
//   logout   C_Sign answers CKR_USER_NOT_LOGGED_IN until the module is initialised anew
//   flip     C_Sign gives a signature with one bit changed
//   hang     C_Sign waits for the pipe `never`
//   hanglog  C_Login waits for it
//   die      C_Sign ends the process
//   dead     C_Initialize answers CKR_DEVICE_ERROR
// Whatever the word, calls that matter are appended to the file `calls`.

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <string>

namespace {

using Value = unsigned long;
using Call = Value (*)();
using Initialize = Value (*)(void *);
using OpenSession = Value (*)(Value, Value, void *, void *, Value *);
using Login = Value (*)(Value, Value, unsigned char *, Value);
using Sign = Value (*)(Value, unsigned char *, Value, unsigned char *, Value *);

// CK_FUNCTION_LIST: a version and 68 functions in the order of the standard.
struct List {
    unsigned char version[2];
    Call calls[68];
};
enum { INITIALIZE = 0, GET_FUNCTION_LIST = 3, OPEN_SESSION = 12, LOGIN = 18, SIGN = 43 };
enum { GENERAL_ERROR = 0x05, DEVICE_ERROR = 0x30, USER_NOT_LOGGED_IN = 0x101 };

List real, shown;
// The word that held when the module was initialised last.
char before[16];

// A file in the folder of this library.
std::string beside(const char *name) {
    Dl_info info;
    dladdr(reinterpret_cast<void *>(&before), &info);
    std::string path = info.dli_fname;
    return path.substr(0, path.rfind('/') + 1) + name;
}

// The first line of a file beside this library.
std::string read(const char *name) {
    char text[4096] = {};
    if (FILE *file = fopen(beside(name).c_str(), "r")) {
        if (!fgets(text, sizeof text, file)) text[0] = 0;
        fclose(file);
    }
    return text;
}

bool told(const char *word) {
    return read("fault") == word;
}

void note(const char *call) {
    FILE *file = fopen(beside("calls").c_str(), "a");
    fprintf(file, "%s\n", call);
    fclose(file);
}

Value initialize(void *arguments) {
    note("C_Initialize");
    if (told("dead")) return DEVICE_ERROR;
    strcpy(before, told("once") ? "once" : told("logout") ? "logout" : "");
    return reinterpret_cast<Initialize>(real.calls[INITIALIZE])(arguments);
}

Value open_session(Value slot, Value flags, void *mine, void *notify, Value *session) {
    note("C_OpenSession");
    return reinterpret_cast<OpenSession>(real.calls[OPEN_SESSION])(slot, flags, mine, notify, session);
}

Value login(Value session, Value user, unsigned char *pin, Value length) {
    note("C_Login");
    if (told("hanglog")) read("never");
    return reinterpret_cast<Login>(real.calls[LOGIN])(session, user, pin, length);
}

Value sign(Value session, unsigned char *data, Value length, unsigned char *signature, Value *size) {
    note("C_Sign");
    if (told("hang")) read("never");
    if (told("die")) abort();
    if (told("always") || (told("once") && strcmp(before, "once"))) return GENERAL_ERROR;
    if (told("logout") && strcmp(before, "logout")) return USER_NOT_LOGGED_IN;
    Value result = reinterpret_cast<Sign>(real.calls[SIGN])(session, data, length, signature, size);
    if (signature && told("flip")) signature[*size - 1] ^= 1;
    return result;
}

} // namespace

extern "C" Value C_GetFunctionList(List **list) {
    void *module = dlopen(read("module").c_str(), RTLD_NOW);
    if (!module) return GENERAL_ERROR;
    List *found = nullptr;
    auto get = reinterpret_cast<Value (*)(List **)>(dlsym(module, "C_GetFunctionList"));
    if (Value error = get(&found)) return error;
    real = shown = *found;
    shown.calls[INITIALIZE] = reinterpret_cast<Call>(initialize);
    shown.calls[GET_FUNCTION_LIST] = reinterpret_cast<Call>(C_GetFunctionList);
    shown.calls[OPEN_SESSION] = reinterpret_cast<Call>(open_session);
    shown.calls[LOGIN] = reinterpret_cast<Call>(login);
    shown.calls[SIGN] = reinterpret_cast<Call>(sign);
    *list = &shown;
    return 0;
}
