#!/usr/bin/env python3
"""Writes tests/jwt/vectors.json: keys and tokens of every algorithm, by an independent signer."""
import json, base64, hmac, hashlib, sys
from cryptography.hazmat.primitives.asymmetric import rsa, ec, padding, ed25519, utils
from cryptography.hazmat.primitives import hashes, serialization as s
NOW=1800000000
b=lambda x: base64.urlsafe_b64encode(x).rstrip(b'=').decode()
i=lambda n,l=None: n.to_bytes(l or (n.bit_length()+7)//8,'big')
K={}
for n,bits in (('rsa',2048),('rsa-2',2048),('attacker',2048),('rsa-1024',1024),('rsa-4096',4096)): K[n]=rsa.generate_private_key(65537,bits)
K['rsa-e3']=rsa.generate_private_key(3,2048)
for n,c in (('ec',ec.SECP256R1()),('ec384',ec.SECP384R1()),('ec521',ec.SECP521R1())): K[n]=ec.generate_private_key(c)
K['ed']=ed25519.Ed25519PrivateKey.generate()
SZ={'ec':32,'ec384':48,'ec521':66}; ALG={'ec':'ES256','ec384':'ES384','ec521':'ES512','ed':'EdDSA'}
H={'256':hashes.SHA256,'384':hashes.SHA384,'512':hashes.SHA512}
SECRET=bytes(range(64))
def jwk(n):
    k=K[n].public_key()
    if isinstance(k,rsa.RSAPublicKey):
        p=k.public_numbers(); return dict(kty='RSA',kid=n,use='sig',n=b(i(p.n)),e=b(i(p.e)))
    if n=='ed': return dict(kty='OKP',crv='Ed25519',kid=n,use='sig',alg='EdDSA',x=b(k.public_bytes(s.Encoding.Raw,s.PublicFormat.Raw)))
    p=k.public_numbers(); return dict(kty='EC',crv={32:'P-256',48:'P-384',66:'P-521'}[SZ[n]],kid=n,use='sig',alg=ALG[n],x=b(i(p.x,SZ[n])),y=b(i(p.y,SZ[n])))
def sign(n,alg,m):
    h=H.get(alg[2:])
    if alg[:2]=='HS': return hmac.new(n if isinstance(n,bytes) else SECRET,m,getattr(hashlib,'sha'+alg[2:])).digest()
    k=K[n]
    if alg[:2]=='RS': return k.sign(m,padding.PKCS1v15(),h())
    if alg[:2]=='PS': return k.sign(m,padding.PSS(padding.MGF1(h()),h.digest_size),h())
    if n=='ed': return k.sign(m)
    r,t=utils.decode_dss_signature(k.sign(m,ec.ECDSA(h())))
    return i(r,SZ[n])+i(t,SZ[n])
CL=dict(iss='https://idp.example',aud='thanos',sub='alice',iat=NOW,exp=NOW+3600,tenant='tenant-a')
J=lambda d: json.dumps(d,separators=(',',':')).encode()
def tok(n,alg,head=None,claims=None,sig=None):
    m=(b(J(head or dict(alg=alg,kid=n if isinstance(n,str) else 'oct',typ='JWT')))+'.'+b(J(claims or CL))).encode()
    g=sig(m) if sig else sign(n,alg,m)
    return m.decode()+'.'+b(g)
out={'now':NOW,'jwks':{n:jwk(n) for n in K},'secret':b(SECRET),'pem':{n:K[n].public_key().public_bytes(s.Encoding.PEM,s.PublicFormat.SubjectPublicKeyInfo).decode() for n in ('rsa','ec','ec384','ec521','ed')}}
good=[('rsa',a+h) for a in ('RS','PS') for h in H]+[('ec','ES256'),('ec384','ES384'),('ec521','ES512'),('ed','EdDSA')]+[('oct','HS'+h) for h in H]+[('rsa-4096','RS256')]
out['good']=[dict(key=n,alg=a,token=tok(n,a)) for n,a in good]
out['good'].append(dict(key='ed',alg='Ed25519',token=tok('ed','EdDSA',dict(alg='Ed25519',kid='ed'))))
out['good'].append(dict(key='rsa',alg='RS256',token=tok('rsa','RS256',dict(alg='RS256',typ='at+jwt',kid='rsa',x5t='abc',extra={'a':[1]}),dict(CL,nonce='n',jti='j',nested={'x':[1.5,None]},aud=['x','thanos']))))
N=0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551; L=2**252+27742317777372353535851937790883648493
def high(m):
    g=sign('ec','ES256',m); return g[:32]+i(N-int.from_bytes(g[32:],'big'),32)
out['good'].append(dict(key='ec',alg='ES256',why='high s verifies',token=tok('ec','ES256',sig=high)))
bad=[]
def x(why,t): bad.append(dict(why=why,token=t))
pem=out['pem']['rsa'].encode()
x('RSA key as HMAC secret, PEM',tok(pem,'HS256',dict(alg='HS256',kid='rsa')))
x('RSA modulus as HMAC secret',tok(i(K['rsa'].public_key().public_numbers().n),'HS256',dict(alg='HS256',kid='rsa')))
x('EC point as HMAC secret',tok(base64.urlsafe_b64decode(jwk('ec')['x']+'=')+base64.urlsafe_b64decode(jwk('ec')['y']+'='),'HS256',dict(alg='HS256',kid='ec')))
x('none',tok('rsa','RS256',dict(alg='none',kid='rsa'),sig=lambda m:b'x'))
x('none, empty',tok('rsa','RS256',dict(alg='none'),sig=lambda m:b''))
x('other key, same kid',tok('attacker','RS256',dict(alg='RS256',kid='rsa')))
x('other key, no kid',tok('attacker','RS256',dict(alg='RS256')))
x('1024 bits',tok('rsa-1024','RS256')); x('e=3',tok('rsa-e3','RS256'))
x('RS signature under PS',tok('rsa','PS256',sig=lambda m:sign('rsa','RS256',m)))
x('PS signature under RS',tok('rsa','RS256',sig=lambda m:sign('rsa','PS256',m)))
x('PSS with another salt length',tok('rsa','PS256',sig=lambda m:K['rsa'].sign(m,padding.PSS(padding.MGF1(hashes.SHA256()),0),hashes.SHA256())))
x('SHA-512 under RS256',tok('rsa','RS256',sig=lambda m:sign('rsa','RS512',m)))
x('RSA signature trimmed',tok('rsa','RS256',sig=lambda m:sign('rsa','RS256',m)[:-1]))
x('RSA signature with leading zero',tok('rsa','RS256',sig=lambda m:b'\0'+sign('rsa','RS256',m)))
x('RSA signature zero',tok('rsa','RS256',sig=lambda m:bytes(256)))
x('RSA signature plus modulus',tok('rsa','RS256',sig=lambda m:i(int.from_bytes(sign('rsa','RS256',m),'big')+K['rsa'].public_key().public_numbers().n,257)))
x('ES256 zero',tok('ec','ES256',sig=lambda m:bytes(64))); x('ES256 all ones',tok('ec','ES256',sig=lambda m:b'\xff'*64))
x('ES256 r=n',tok('ec','ES256',sig=lambda m:i(N)+i(1,32))); x('ES256 r=0',tok('ec','ES256',sig=lambda m:bytes(32)+sign('ec','ES256',m)[32:]))
x('ES256 in DER',tok('ec','ES256',sig=lambda m:K['ec'].sign(m,ec.ECDSA(hashes.SHA256()))))
x('ES256 longer',tok('ec','ES256',sig=lambda m:sign('ec','ES256',m)+b'\0'))
x('ES384 with the P-256 key',tok('ec','ES384',dict(alg='ES384',kid='ec'),sig=lambda m:sign('ec','ES256',m)))
x('ES256 with the P-384 key',tok('ec384','ES256',dict(alg='ES256',kid='ec384'),sig=lambda m:sign('ec384','ES384',m)))
def splusl(m):
    g=sign('ed','EdDSA',m); return g[:32]+(int.from_bytes(g[32:],'little')+L).to_bytes(32,'little')
x('Ed25519 S+L',tok('ed','EdDSA',sig=splusl)); x('Ed25519 zero',tok('ed','EdDSA',sig=lambda m:bytes(64)))
x('Ed25519 identity R, S=0',tok('ed','EdDSA',sig=lambda m:b'\1'+bytes(63)))
x('HS256 by another secret',tok(bytes(64),'HS256',dict(alg='HS256',kid='oct')))
t=tok('rsa','RS256').split('.'); u=tok('rsa','RS256',claims=dict(CL,tenant='tenant-b')).split('.')
x('claims of another token','.'.join([t[0],u[1],t[2]])); x('header of another token','.'.join([b(J(dict(kid='rsa',alg='RS256'))),t[1],t[2]]))
out['bad']=bad
json.dump(out,sys.stdout,indent=1); print()
